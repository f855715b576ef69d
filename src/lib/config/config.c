/* Implements config.h. */
#include "lib/config/config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "lib/basic/cleanup.h"
#include "lib/config/ini.h"
#include "lib/config/value.h"

struct value {
    char *text;
    int64_t number, high; /* of numbers, sizes, durations (microseconds), booleans and ranges */
    /* The number of the file that set it, counted from 1; 0: the default. */
    unsigned file;
};

struct config {
    size_t n;
    struct value *values;
    const char *path; /* of the current file, while it is read */
    unsigned file;
    bool shared; /* users other than the owner and root may read the current file */
};

static size_t count_keys(void)
{
    size_t n = 0;
    while (config_keys[n].section)
        n++;
    return n;
}

static int in_choices(const char *word, const char *choices)
{
    size_t n = strlen(word);
    for (const char *c = choices; n > 0 && (c = strstr(c, word)); c += n)
        if ((c == choices || c[-1] == '|') && (c[n] == '|' || c[n] == '\0'))
            return 0;
    return -EINVAL;
}

static int parse_range(const char *text, int64_t *low, int64_t *high)
{
    const char *dash = strchr(text, '-');
    if (!dash || dash == text)
        return -EINVAL;
    _cleanup_free_ char *first = xstrndup(text, (size_t)(dash - text));
    if (parse_int64(first, 0, INT64_MAX, low) < 0 || parse_int64(dash + 1, 0, INT64_MAX, high) < 0 ||
        *low > *high)
        return -EINVAL;
    return 0;
}

static const char *expected_form(const struct config_key *key)
{
    static const char *const forms[] = {[CONFIG_STRING] = "a text",
                                        [CONFIG_PATH] = "an absolute path",
                                        [CONFIG_NUMBER] = "a number",
                                        [CONFIG_SIZE] = "a size such as 512M",
                                        [CONFIG_DURATION] = "a duration such as 5s",
                                        [CONFIG_BOOL] = "yes or no",
                                        [CONFIG_LIST] = "words",
                                        [CONFIG_RANGE] = "a range such as 20000-29999",
                                        [CONFIG_ADDRESS] = "an IPv4 address",
                                        [CONFIG_ADDRESSES] = "IP addresses"};
    return key->type == CONFIG_CHOICE || key->type == CONFIG_CHOICE_OR_PATH ? key->choices : forms[key->type];
}

/* Formats a limit as an administrator writes it. The caller frees it. */
static char *form_of(const struct config_key *key, int64_t n)
{
    static const struct {
        const char *unit;
        int64_t size;
    } durations[] = {{"d", 86400000000}, {"h", 3600000000}, {"min", 60000000},
                     {"s", 1000000},     {"ms", 1000},      {"us", 1}},
      sizes[] = {{"T", INT64_C(1) << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};
    bool duration = key->type == CONFIG_DURATION;
    size_t n_units = duration ? ARRAY_SIZE(durations) : key->type == CONFIG_SIZE ? ARRAY_SIZE(sizes) : 0;
    for (size_t i = 0; n > 0 && i < n_units; i++) {
        int64_t size = duration ? durations[i].size : sizes[i].size;
        if (n % size == 0)
            return xasprintf("%" PRId64 "%s", n / size, duration ? durations[i].unit : sizes[i].unit);
    }
    return xasprintf("%" PRId64, n);
}

/* Describes what is wrong with a value. The caller frees it. */
static char *mistake(const struct config_key *key, int r)
{
    if (r != -ERANGE)
        return xasprintf("expected %s%s", expected_form(key),
                         key->type == CONFIG_CHOICE_OR_PATH ? " or an absolute path" : "");
    _cleanup_free_ char *min = form_of(key, key->min), *max = form_of(key, key->max);
    return xasprintf("out of range: from %s to %s", min, max);
}

static int check_addresses(const char *text)
{
    struct in6_addr address; /* also has room for an IPv4 address */
    _cleanup_free_ char *words = xstrdup(text);
    char *rest = words;
    for (char *word; (word = strsep(&rest, " \t"));)
        if (*word && inet_pton(AF_INET, word, &address) != 1 && inet_pton(AF_INET6, word, &address) != 1)
            return -EINVAL;
    return 0;
}

static int parse_one(const struct config_key *key, const char *text, struct value *v)
{
    uint64_t usec = 0;
    struct in_addr address;
    int r = 0;
    switch (key->type) {
    case CONFIG_STRING:
    case CONFIG_LIST:
        return 0;
    case CONFIG_PATH:
        return !*text || text[0] == '/' ? 0 : -EINVAL;
    case CONFIG_ADDRESS:
        return !*text || inet_pton(AF_INET, text, &address) == 1 ? 0 : -EINVAL;
    case CONFIG_ADDRESSES:
        return check_addresses(text);
    case CONFIG_CHOICE:
        return in_choices(text, key->choices);
    case CONFIG_CHOICE_OR_PATH:
        return text[0] == '/' ? 0 : in_choices(text, key->choices);
    case CONFIG_BOOL:
        v->number = streq(text, "yes") || streq(text, "true");
        return v->number || streq(text, "no") || streq(text, "false") ? 0 : -EINVAL;
    case CONFIG_RANGE:
        r = parse_range(text, &v->number, &v->high);
        return r < 0 ? r : v->number < key->min || v->high > key->max ? -ERANGE : 0;
    case CONFIG_NUMBER:
        return parse_int64(text, key->min, key->max, &v->number);
    case CONFIG_SIZE:
        r = parse_size(text, &v->number);
        break;
    case CONFIG_DURATION:
        r = parse_duration(text, &usec);
        v->number = (int64_t)usec;
        break;
    }
    return r < 0 ? r : v->number < key->min || v->number > key->max ? -ERANGE : 0;
}

/* Reports whether one of the words is a URL with user, password or token before its host. */
static bool has_credentials(const char *text)
{
    for (const char *host; (host = strstr(text, "://")); text = host) {
        host += 3;
        if (memchr(host, '@', strcspn(host, "/?# \t")))
            return true;
    }
    return false;
}

/* Refuses credentials in a file that other users may read. The message never contains the value. */
static int check_secret(const struct config *config, const struct config_key *key, const char *text,
                        unsigned line, struct error *e)
{
    if (!config->shared || !has_credentials(text))
        return 0;
    return error_refuse(e, EPERM,
                        "%s:%u: [%s] %s: a URL contains user or password, and other users may read this "
                        "file: put them into a file of mode 0600 and name it in [fetcher] credentials, or "
                        "chmod 0600 '%s'",
                        config->path, line, key->section, key->name, config->path);
}

static int set_value(const char *section, const char *name, const char *text, unsigned line, void *userdata,
                     struct error *e)
{
    struct config *config = userdata;
    bool known_section = false;
    for (size_t i = 0; i < config->n; i++) {
        const struct config_key *key = &config_keys[i];
        if (!streq(key->section, section))
            continue;
        known_section = true;
        if (!streq(key->name, name))
            continue;
        struct value *v = &config->values[i];
        bool again = v->file == config->file;
        if (again && key->type != CONFIG_LIST && key->type != CONFIG_ADDRESSES)
            return error_refuse(e, EINVAL, "%s:%u: '%s' is given twice", config->path, line, name);
        int r = check_secret(config, key, text, line, e);
        if (r < 0)
            return r;
        r = parse_one(key, text, v);
        if (r < 0) {
            _cleanup_free_ char *what = mistake(key, r);
            return error_refuse(e, EINVAL, "%s:%u: %s = %s: %s", config->path, line, name, text, what);
        }
        /* A list may be given in several lines, since the length of a line is limited. */
        char *whole = again ? xasprintf("%s %s", v->text, text) : xstrdup(text);
        free(v->text);
        v->text = whole;
        v->file = config->file;
        return 0;
    }
    if (!known_section)
        return error_refuse(e, EINVAL, "%s:%u: unknown section [%s]", config->path, line, section);
    return error_refuse(e, EINVAL, "%s:%u: unknown key '%s' in [%s]", config->path, line, name, section);
}

/* Reports whether other users may read a file. A file without a readable status counts as shared:
 * ini_read() then reports the error. With an access list, the group's bits apply to everyone whom the list
 * names. */
static bool is_shared(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || (st.st_mode & S_IROTH))
        return true;
    return (st.st_mode & S_IRGRP) &&
           (st.st_gid != 0 || getxattr(path, "system.posix_acl_access", NULL, 0) > 0);
}

static int read_one(struct config *config, const char *path, struct error *e)
{
    config->path = path;
    config->file++;
    config->shared = is_shared(path);
    return ini_read(path, set_value, config, e);
}

static int conf_files(const struct dirent *d)
{
    return d->d_name[0] != '.' && has_suffix(d->d_name, ".conf");
}

/* The content of a file that is to be written. */
struct part {
    const char *name; /* NULL: there is none */
    const char *text;
    bool read;
};

static int read_part(struct config *config, const char *directory, struct part *part, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", directory, part->name);
    part->read = true;
    config->path = path;
    config->file++;
    config->shared = true;
    return ini_read_text(path, part->text, set_value, config, e);
}

static int read_directory(struct config *config, const char *path, struct part *part, struct error *e)
{
    struct dirent **files = NULL;
    int n = scandir(path, &files, conf_files, alphasort), r = 0;
    if (n < 0 && errno != ENOENT)
        return error_os(e, errno, "cannot read directory '%s'", path);
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *file = xasprintf("%s/%s", path, files[i]->d_name);
        int order = part->name ? strcoll(part->name, files[i]->d_name) : 1;
        if (r >= 0 && order <= 0 && !part->read)
            r = read_part(config, path, part, e);
        if (r >= 0 && order != 0)
            r = read_one(config, file, e);
        free(files[i]);
    }
    free(files);
    return r >= 0 && part->name && !part->read ? read_part(config, path, part, e) : r;
}

static struct config *config_defaults(void)
{
    struct config *config = xcalloc(1, sizeof *config);
    config->n = count_keys();
    config->values = xcalloc(config->n, sizeof *config->values);
    for (size_t i = 0; i < config->n; i++) {
        if (parse_one(&config_keys[i], config_keys[i].standard, &config->values[i]) < 0)
            abort();
        config->values[i].text = xstrdup(config_keys[i].standard);
    }
    return config;
}

int config_load(struct tree *tree, struct config **ret, struct error *e)
{
    return config_load_with(tree, NULL, NULL, ret, e);
}

int config_load_with(struct tree *tree, const char *part, const char *text, struct config **ret,
                     struct error *e)
{
    struct part extra = {.name = part, .text = text};
    struct config *config = config_defaults();
    _cleanup_free_ char *file = tree_config_file(tree), *dir = tree_config_dir(tree);
    int r = read_one(config, file, e);
    if (r >= 0 || r == -ENOENT)
        r = read_directory(config, dir, &extra, e);
    if (r < 0) {
        config_free(config);
        return r;
    }
    const char *apps = config_string(config, "hostlet", "app_path");
    if (*apps) {
        free(tree->apps);
        tree->apps = xstrdup(apps);
    }
    *ret = config;
    return 0;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->n; i++)
        free(config->values[i].text);
    free(config->values);
    free(config);
}

static const struct value *find(const struct config *config, const char *section, const char *name)
{
    for (size_t i = 0; i < config->n; i++)
        if (streq(config_keys[i].section, section) && streq(config_keys[i].name, name))
            return &config->values[i];
    abort();
}

const char *config_string(const struct config *config, const char *section, const char *name)
{
    return find(config, section, name)->text;
}

int64_t config_number(const struct config *config, const char *section, const char *name)
{
    return find(config, section, name)->number;
}

uint64_t config_duration(const struct config *config, const char *section, const char *name)
{
    return (uint64_t)find(config, section, name)->number;
}

bool config_bool(const struct config *config, const char *section, const char *name)
{
    return find(config, section, name)->number;
}

void config_range(const struct config *config, const char *section, const char *name, int64_t *ret_min,
                  int64_t *ret_max)
{
    const struct value *v = find(config, section, name);
    *ret_min = v->number;
    *ret_max = v->high;
}

bool config_has_section(const char *section)
{
    for (const struct config_key *key = config_keys; key->section; key++)
        if (streq(key->section, section))
            return true;
    return false;
}

const struct config_key *config_find_key(const char *dotted)
{
    for (const struct config_key *key = config_keys; key->section; key++) {
        const char *name = after_prefix(dotted, key->section);
        if (name && *name == '.' && streq(name + 1, key->name))
            return key;
    }
    return NULL;
}

char *config_section_text(const struct config *config, const char *section)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    for (size_t i = 0; i < config->n; i++)
        if (streq(config_keys[i].section, section) || streq(config_keys[i].section, "hostlet"))
            fprintf(out, "%s.%s=%s\n", config_keys[i].section, config_keys[i].name, config->values[i].text);
    fclose(out);
    return text;
}
