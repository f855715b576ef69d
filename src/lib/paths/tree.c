/* Implements tree.h. */
#include "lib/paths/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

/* Sets '*value' to the variable's if no option has set it. Refuses an empty text: what is meant is a variable
 * that a script did not set, and not the installed system's own directory. 'option' may be NULL. */
static int choose(const char **value, const char *option, const char *variable, struct error *e)
{
    bool given = *value;
    if (!given)
        *value = getenv(variable);
    if (!*value || **value)
        return 0;
    return error_refuse(e, EINVAL, "%s%s is empty; omit it for the installed system's own directory",
                        given ? "" : "the variable ", given ? option : variable);
}

static int check_prefix(const char *prefix, struct error *e)
{
    if (prefix[0] != '/')
        return error_refuse(e, EINVAL, "the prefix '%s' is not an absolute path", prefix);
    if (!prefix[strspn(prefix, "/.")]) /* a script's "$UNSET/" */
        return error_refuse(e, EINVAL,
                            "the prefix '%s' is the root directory; omit it for the installed system's tree",
                            prefix);
    for (const char *p = prefix; (p = strstr(p, "/..")); p += 3)
        if (p[3] == '/' || p[3] == '\0')
            return error_refuse(e, EINVAL, "the prefix '%s' contains '..'", prefix);
    return 0;
}

int tree_init(struct tree *tree, const char *prefix, const char *services, const char *libexec,
              struct error *e)
{
    const char *data = NULL;
    int r = choose(&prefix, "--prefix", "HOSTLET_PREFIX", e);
    if (r >= 0)
        r = choose(&services, "--services", "HOSTLET_SERVICES", e);
    if (r >= 0)
        r = choose(&libexec, "--libexec", "HOSTLET_LIBEXEC", e);
    if (r >= 0)
        r = choose(&data, NULL, "HOSTLET_DATA", e);
    if (r >= 0 && prefix)
        r = check_prefix(prefix, e);
    if (r < 0)
        return r;
    *tree = (struct tree){
        .services = xstrdup(services ?: PKGDATADIR "/svc"),
        .libexec = xstrdup(libexec ?: PKGLIBEXECDIR),
        .data = xstrdup(data ?: PKGDATADIR),
    };
    if (!prefix) {
        tree->etc = xstrdup("/etc/hostlet");
        tree->var = xstrdup("/var/lib/hostlet");
        tree->run = xstrdup("/run/hostlet");
        tree->apps = xstrdup("/var/lib/hostlet/apps");
        return 0;
    }
    size_t n = strlen(prefix);
    while (n > 1 && prefix[n - 1] == '/')
        n--;
    tree->prefix = xstrndup(prefix, n);
    tree->etc = xasprintf("%s/etc", tree->prefix);
    tree->var = xasprintf("%s/var", tree->prefix);
    tree->run = xasprintf("%s/run", tree->prefix);
    tree->apps = xasprintf("%s/apps", tree->prefix);
    return 0;
}

void tree_done(struct tree *tree)
{
    free(tree->prefix);
    free(tree->etc);
    free(tree->var);
    free(tree->run);
    free(tree->apps);
    free(tree->services);
    free(tree->libexec);
    free(tree->data);
    *tree = (struct tree){.prefix = NULL};
}

char *tree_config_file(const struct tree *tree)
{
    return xasprintf("%s/hostlet.conf", tree->etc);
}

char *tree_config_dir(const struct tree *tree)
{
    return xasprintf("%s/hostlet.conf.d", tree->etc);
}

char *tree_socket(const struct tree *tree, const char *name)
{
    return xasprintf("%s/%s.sock", tree->run, name);
}

char *tree_state(const struct tree *tree, const char *name)
{
    return xasprintf("%s/hostlet/%s", tree->var, name);
}

char *tree_ipk(const struct tree *tree)
{
    return xasprintf("%s/ipk", tree->var);
}

char *tree_ipk_install(const struct tree *tree)
{
    return xasprintf("%s/ipk_install", tree->var);
}

char *tree_program(const struct tree *tree, const char *name)
{
    if (tree->prefix) {
        _cleanup_free_ char *own = xasprintf("%s/bin/%s", tree->prefix, name);
        if (access(own, X_OK) == 0)
            return TAKE_PTR(own);
    }
    return xasprintf("%s/%s", tree->libexec, name);
}

int tree_read_id(const struct tree *tree, char **ret, struct error *e)
{
    _cleanup_free_ char *path = tree_state(tree, "tree.id"), *text = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, path, 256, &text, &size, e);
    if (r < 0)
        return error_prefix(e, "the tree has no id yet (hostletd, or hostletd --setup, makes it)");
    text[strcspn(text, "\n")] = '\0';
    if (strlen(text) != 36)
        return error_refuse(e, EINVAL, "'%s' does not contain a UUID", path);
    *ret = TAKE_PTR(text);
    return 0;
}
