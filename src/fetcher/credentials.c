/* Implements credentials.h. */
#include "fetcher/credentials.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define FILE_MAX 65536

struct entry {
    char *machine, *login, *password;
};

struct credentials {
    struct entry *entries;
    size_t n;
};

struct scanner {
    const char *path, *at;
    unsigned line; /* of the last word */
    unsigned next_line;
    struct error *e;
};

DEFINE_CLEANUP(struct credentials *, credentials_free);
#define _cleanup_credentials_ _cleanup_(cleanup_credentials_free)

static void forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void credentials_free(struct credentials *c)
{
    for (size_t i = 0; c && i < c->n; i++) {
        free(c->entries[i].machine);
        free(c->entries[i].login);
        forget(c->entries[i].password);
    }
    if (c)
        free(c->entries);
    free(c);
}

static int mistake(const struct scanner *s, const char *what)
{
    return error_refuse(s->e, EINVAL, "[fetcher] credentials: %s:%u: %s", s->path, s->line, what);
}

static void skip_space(struct scanner *s)
{
    for (; isspace((unsigned char)*s->at); s->at++)
        s->next_line += *s->at == '\n';
}

/* Parses a word in quotes, which can contain spaces. A backslash is removed, and the character after it
 * belongs to the word, also a quote or a backslash. ("\n" is an n here, unlike in curl.) */
static int quoted_word(struct scanner *s, char *to)
{
    for (s->at++; *s->at != '"'; s->at++) {
        if (*s->at == '\\' && s->at[1])
            s->at++;
        if (!*s->at || *s->at == '\n')
            return mistake(s, "a quote is not closed");
        *to++ = *s->at;
    }
    s->at++;
    return 1;
}

/* Reads the next word, which the caller frees. Returns 1, or 0 at the end, or −EINVAL (refused). */
static int word(struct scanner *s, char **ret)
{
    skip_space(s);
    if (!*s->at)
        return 0;
    s->line = s->next_line;
    size_t n = strcspn(s->at, " \t\r\n\v\f");
    size_t room = *s->at == '"' ? strcspn(s->at, "\n") : n;
    char *text = xcalloc(room + 1, 1);
    int r = 1;
    if (*s->at == '"')
        r = quoted_word(s, text);
    else {
        memcpy(text, s->at, n);
        s->at += n;
    }
    if (r < 0)
        forget(text);
    else
        *ret = text;
    return r;
}

static int value(struct scanner *s, const char *key, char **to)
{
    if (*to) {
        _cleanup_free_ char *what = xasprintf("'%s' occurs twice", key);
        return mistake(s, what);
    }
    int r = word(s, to);
    if (r != 0)
        return r < 0 ? r : 0;
    _cleanup_free_ char *what = xasprintf("a value is missing after '%s'", key);
    return mistake(s, what);
}

static int add(struct credentials *c, struct scanner *s)
{
    struct entry entry = {.machine = NULL};
    int r = value(s, "machine", &entry.machine);
    if (r < 0)
        return r;
    c->entries = xrealloc(c->entries, c->n + 1, sizeof *c->entries);
    c->entries[c->n++] = entry;
    return 0;
}

static int take(struct credentials *c, struct scanner *s, const char *key)
{
    struct entry *last = c->n > 0 ? &c->entries[c->n - 1] : NULL;
    if (*key == '#') {
        s->at += strcspn(s->at, "\n");
        return 0;
    }
    if (streq(key, "machine"))
        return last && !last->password ? mistake(s, "the machine before has no password") : add(c, s);
    if (last && streq(key, "login"))
        return value(s, key, &last->login);
    if (last && streq(key, "password"))
        return value(s, key, &last->password);
    /* In particular "default" is refused: it would send a password to every host. */
    return mistake(s, "expected machine NAME login USER password PASSWORD, and nothing else");
}

int credentials_parse(const char *text, const char *path, struct credentials **ret, struct error *e)
{
    _cleanup_credentials_ struct credentials *c = xcalloc(1, sizeof *c);
    size_t size = strlen(text);
    skip_byte_order_mark(&text, &size);
    struct scanner s = {.path = path, .at = text, .line = 1, .next_line = 1, .e = e};
    int r;
    char *key;
    while ((r = word(&s, &key)) > 0) {
        r = take(c, &s, key);
        forget(key);
        if (r < 0)
            return r;
    }
    if (r >= 0 && c->n > 0 && !c->entries[c->n - 1].password)
        r = mistake(&s, "the last machine has no password");
    if (r >= 0)
        *ret = TAKE_PTR(c);
    return r;
}

static int refuse_file(const char *path, const char *why, struct error *e)
{
    return error_refuse(e, EPERM, "[fetcher] credentials: '%s' %s", path, why);
}

static int check_file(int fd, const char *path, uid_t uid, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return refuse_file(path, "is not a regular file", e);
    if (st.st_uid != 0 && st.st_uid != uid && st.st_uid != geteuid())
        return refuse_file(path, "belongs neither to root nor to hostlet-fetcher: chown it to root", e);
    if (st.st_mode & 077)
        return refuse_file(path, "may be read or written by others than its owner: chmod 0600", e);
    return 0;
}

int credentials_read(const char *path, uid_t uid, struct credentials **ret, struct error *e)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return error_refuse(e, errno, "[fetcher] credentials: cannot open '%s': %s", path,
                            errno == ELOOP ? "it is a symbolic link" : strerrordesc_np(errno));
    int r = check_file(fd, path, uid, e);
    if (r < 0)
        return r;
    char *text = xcalloc(FILE_MAX + 2, 1);
    size_t size = 0;
    ssize_t n = 0;
    while (size <= FILE_MAX && (n = read(fd, text + size, FILE_MAX + 1 - size)) > 0)
        size += (size_t)n;
    if (n < 0)
        r = error_os(e, errno, "[fetcher] credentials: cannot read '%s'", path);
    else if (size > FILE_MAX)
        r = refuse_file(path, "is larger than 64 KiB", e);
    else if (strlen(text) != size)
        r = refuse_file(path, "contains a NUL byte", e);
    else
        r = credentials_parse(text, path, ret, e);
    explicit_bzero(text, FILE_MAX + 2);
    free(text);
    return r;
}

struct place {
    const char *host, *port;
    size_t n_host, n_port; /* n_port 0: no port */
};

/* Splits "host", "host:port", "::1", "[::1]" or "[::1]:port". */
static struct place split(const char *text, size_t size)
{
    bool bracket = size > 0 && *text == '[';
    const char *host = text + bracket, *end = text + size;
    const char *host_end = memchr(host, bracket ? ']' : ':', (size_t)(end - host)) ?: end;
    if (!bracket && host_end < end && memchr(host_end + 1, ':', (size_t)(end - host_end - 1)))
        host_end = end;
    const char *rest = host_end + (bracket && host_end < end);
    const char *port = rest < end && *rest == ':' ? rest + 1 : end;
    return (struct place){host, port, (size_t)(host_end - host), (size_t)(end - port)};
}

bool credentials_find(const struct credentials *c, const char *url, const char **ret_user,
                      const char **ret_password)
{
    const char *authority = strstr(url, "://");
    if (!c || !authority)
        return false;
    authority += 3;
    size_t size = strcspn(authority, "/?#");
    if (memchr(authority, '@', size))
        return false;
    struct place there = split(authority, size);
    if (there.n_port == 0) {
        there.port = strncasecmp(url, "https:", 6) == 0 ? "443" : "80";
        there.n_port = strlen(there.port);
    }
    const struct entry *found = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct entry *entry = &c->entries[i];
        struct place p = split(entry->machine, strlen(entry->machine));
        bool same_host = p.n_host == there.n_host && strncasecmp(p.host, there.host, p.n_host) == 0;
        bool same_port = p.n_port == there.n_port && strncmp(p.port, there.port, p.n_port) == 0;
        if (same_host && same_port) {
            found = entry;
            break;
        }
        if (same_host && p.n_port == 0)
            found = found ?: entry;
    }
    if (found) {
        *ret_user = found->login ?: "";
        *ret_password = found->password;
    }
    return found != NULL;
}
