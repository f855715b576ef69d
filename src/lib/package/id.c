/* Implements id.h. */
#include "lib/package/id.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "lib/basic/cleanup.h"
#include "lib/package/version.h"

/* Independent of the locale, unlike isalnum(). */
static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int package_name_check(const char *name, struct error *e)
{
    bool ok = is_alphanumeric(*name) &&
              strnlen(name, PACKAGE_NAME_LENGTH_MAX + 1) <= PACKAGE_NAME_LENGTH_MAX && !strstr(name, "..");
    for (const char *c = name; ok && *c; c++)
        ok = is_alphanumeric(*c) || strchr("._+-", *c);
    if (!ok)
        return error_refuse(
            e, EINVAL,
            "'%.120s' is not a package name: a letter or digit, then letters, digits, '.', '_', '+', "
            "'-', without \"..\", at most %d characters",
            name, PACKAGE_NAME_LENGTH_MAX);
    return 0;
}

int package_platform_check(const char *what, const char *value, struct error *e)
{
    size_t n = 0;
    while (n <= 16 && is_alphanumeric(value[n]))
        n++;
    if (n == 0 || n > 16 || value[n])
        return error_refuse(e, EINVAL, "'%.40s' is not a package's %s: 1 to 16 letters and digits", value,
                            what);
    return 0;
}

static void lower_case(char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s + ('a' - 'A'));
}

int package_id_make(const char *name, const char *version, const char *os, const char *arch, char **ret,
                    struct error *e)
{
    int r = package_name_check(name, e);
    if (r >= 0)
        r = version_check(version, e);
    if (r >= 0)
        r = package_platform_check("operating system", os, e);
    if (r >= 0)
        r = package_platform_check("architecture", arch, e);
    if (r < 0)
        return r;
    *ret = xasprintf("%s_%s_%s_%s", name, version, os, arch);
    lower_case(*ret);
    return 0;
}

void package_id_clear(struct package_id *id)
{
    free(id->name);
    free(id->version);
    free(id->os);
    free(id->arch);
    *id = (struct package_id){0};
}

/* Cuts the last '_' from 's' and returns the text after it; NULL if there is none. */
static char *cut_last(char *s)
{
    char *underscore = strrchr(s, '_');
    if (!underscore)
        return NULL;
    *underscore = '\0';
    return underscore + 1;
}

int package_id_parse(const char *id, struct package_id *ret, struct error *e)
{
    _cleanup_free_ char *name = xstrdup(id), *again = NULL;
    char *arch = cut_last(name);
    char *os = arch ? cut_last(name) : NULL;
    char *version = os ? cut_last(name) : NULL;
    if (!version)
        return error_refuse(e, EINVAL, "'%.200s' is not a package id: name_version_os_arch is expected", id);
    int r = package_id_make(name, version, os, arch, &again, e);
    if (r < 0) {
        error_prefix(e, "package id '%.200s'", id);
        return r;
    }
    if (!streq(id, again))
        return error_refuse(e, EINVAL, "'%.200s' is not a package id: ids are in lower case", id);
    *ret = (struct package_id){xstrdup(name), xstrdup(version), xstrdup(os), xstrdup(arch)};
    return 0;
}

int package_file_name_parse(const char *file, struct package_id *ret, struct error *e)
{
    if (!has_suffix(file, ".ipk"))
        return error_refuse(e, EINVAL, "'%.200s' is not the name of a package file: it does not end in .ipk",
                            file);
    _cleanup_free_ char *id = xstrndup(file, strlen(file) - strlen(".ipk"));
    return package_id_parse(id, ret, e);
}

int package_id_check(const char *name, const char *id, struct error *e)
{
    struct package_id parsed;
    int r = package_name_check(name, e);
    if (r >= 0)
        r = package_id_parse(id, &parsed, e);
    if (r < 0)
        return r;
    bool same = strcasecmp(parsed.name, name) == 0;
    package_id_clear(&parsed);
    return same ? 0 : error_refuse(e, EINVAL, "'%.200s' is not an id of the package '%s'", id, name);
}

char *package_key(const char *name, const char *id)
{
    return xasprintf("%s%s", name, id + strlen(name));
}

int package_key_parse(const char *key, char **ret_name, char **ret_id, struct error *e)
{
    _cleanup_free_ char *id = xstrdup(key);
    struct package_id parsed;
    lower_case(id);
    int r = package_id_parse(id, &parsed, e);
    if (r < 0)
        return r;
    size_t n = strlen(parsed.name);
    package_id_clear(&parsed);
    if (!streq(key + n, id + n))
        return error_refuse(e, EINVAL, "'%.200s' is not a package's key", key);
    *ret_name = xstrndup(key, n);
    *ret_id = TAKE_PTR(id);
    return 0;
}
