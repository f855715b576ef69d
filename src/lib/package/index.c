/* Implements index.h. */
#include "lib/package/index.h"

#include <errno.h>
#include <strings.h>

#include "lib/basic/cleanup.h"
#include "lib/package/version.h"

#define FILE_NAME_MAX 1024

struct package_index *package_index_free(struct package_index *index)
{
    if (!index)
        return NULL;
    for (size_t i = 0; i < index->n_items; i++) {
        free(index->items[i].file);
        package_free(index->items[i].package);
    }
    free(index->items);
    free(index);
    return NULL;
}

bool package_index_file_is_plain(const char *file)
{
    if (!has_suffix(file, ".ipk") || strlen(file) > FILE_NAME_MAX)
        return false;
    for (const char *c = file; *c; c++) {
        bool plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool part_begins = c == file || c[-1] == '/';
        if (!plain && (part_begins || !strchr("._+-/", *c)))
            return false;
    }
    return true;
}

static int parse_sha256(const json_t *json, char ret[SHA256_HEX_SIZE], struct error *e)
{
    if (!json || json_is_null(json))
        return 0;
    const char *s = json_string_value(json);
    if (!s || strlen(s) != SHA256_HEX_SIZE - 1 || strspn(s, "0123456789abcdefABCDEF") != SHA256_HEX_SIZE - 1)
        return error_refuse(e, EINVAL, "sha256 is not 64 hex digits");
    for (size_t i = 0; i < SHA256_HEX_SIZE; i++)
        ret[i] = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] + ('a' - 'A')) : s[i];
    return 0;
}

static int parse_item(const json_t *json, struct package_index_item *item, struct error *e)
{
    const char *file = json_string_value(json_object_get(json, "file"));
    const json_t *size = json_object_get(json, "size");
    if (!json_is_object(json))
        return error_refuse(e, EINVAL, "it is not an object");
    if (!file)
        return error_refuse(e, EINVAL, "file is missing");
    if (!package_index_file_is_plain(file))
        return error_refuse(e, EINVAL, "file '%.100s' is not a plain relative path that ends in .ipk", file);
    if (size && !json_is_null(size) && (!json_is_integer(size) || json_integer_value(size) < 0))
        return error_refuse(e, EINVAL, "size is not a number of bytes");
    int r = parse_sha256(json_object_get(json, "sha256"), item->sha256, e);
    if (r >= 0)
        r = package_from_json(json_object_get(json, "package"), &item->package, e);
    if (r < 0)
        return r;
    item->file = xstrdup(file);
    item->size = json_is_integer(size) ? (uint64_t)json_integer_value(size) : 0;
    return 0;
}

static int parse_items(const json_t *json, struct package_index **ret, struct error *e)
{
    const json_t *format = json_object_get(json, "format"), *items = json_object_get(json, "items");
    if (!json_is_object(json))
        return error_refuse(e, EINVAL, "it is not an object");
    if (!json_is_integer(format))
        return error_refuse(e, EINVAL, "its format number is missing");
    if (json_integer_value(format) != PACKAGE_INDEX_FORMAT)
        return error_refuse(e, EINVAL, "its format is %lld, this hostlet knows format %d",
                            (long long)json_integer_value(format), PACKAGE_INDEX_FORMAT);
    if (!json_is_array(items))
        return error_refuse(e, EINVAL, "items is missing");
    if (json_array_size(items) > PACKAGE_INDEX_ITEMS)
        return error_refuse(e, EFBIG, "it has more than %d items", PACKAGE_INDEX_ITEMS);
    _cleanup_(cleanup_package_index_free) struct package_index *index = xcalloc(1, sizeof *index);
    index->room = json_array_size(items);
    index->items = xcalloc(index->room, sizeof *index->items);
    for (size_t i = 0; i < index->room; i++) {
        int r = parse_item(json_array_get(items, i), &index->items[index->n_items++], e);
        if (r < 0) {
            error_prefix(e, "items[%zu]", i);
            return r;
        }
    }
    *ret = TAKE_PTR(index);
    return 0;
}

int package_index_parse(const char *text, size_t size, struct package_index **ret, struct error *e)
{
    if (size > PACKAGE_INDEX_MAX)
        return error_refuse(e, EFBIG, "the package index is larger than %zu MiB", PACKAGE_INDEX_MAX >> 20);
    json_error_t why;
    skip_byte_order_mark(&text, &size);
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return error_refuse(e, EBADMSG, "the package index is not JSON: line %d: %s", why.line, why.text);
    int r = parse_items(json, ret, e);
    json_decref(json);
    if (r < 0)
        error_prefix(e, "the package index");
    return r;
}

static int compare_items(const void *a, const void *b)
{
    const struct package_index_item *x = a, *y = b;
    return strcmp(x->package->name, y->package->name)
               ?: version_compare(x->package->version, y->package->version)
               ?: strcmp(x->package->version, y->package->version)
               ?: strcmp(x->package->os, y->package->os)
               ?: strcmp(x->package->arch, y->package->arch) ?: strcmp(x->file, y->file);
}

char *package_index_format(const struct package_index *index)
{
    json_t *items = json_array(), *whole = json_object();
    if (index->n_items > 0)
        qsort(index->items, index->n_items, sizeof *index->items, compare_items);
    for (size_t i = 0; i < index->n_items; i++) {
        const struct package_index_item *item = &index->items[i];
        json_t *json = json_object();
        json_object_set_new(json, "file", json_string(item->file));
        json_object_set_new(json, "size", json_integer((json_int_t)item->size));
        if (item->sha256[0])
            json_object_set_new(json, "sha256", json_string(item->sha256));
        json_object_set_new(json, "package", package_to_json(item->package));
        json_array_append_new(items, json);
    }
    json_object_set_new(whole, "format", json_integer(PACKAGE_INDEX_FORMAT));
    json_object_set_new(whole, "items", items);
    char *text = json_dumps(whole, JSON_INDENT(1));
    json_decref(whole);
    if (!text)
        abort(); /* cannot happen: every string was read from JSON or is a plain file name */
    char *line = xasprintf("%s\n", text);
    free(text);
    return line;
}

ssize_t package_index_find(const struct package_index *index, const char *name, const char *rule,
                           const char *os, const char *arch)
{
    ssize_t best = -1;
    for (size_t i = 0; i < index->n_items; i++) {
        const struct package *p = index->items[i].package;
        if (!streq(p->name, name) || strcasecmp(p->os, os) != 0 || strcasecmp(p->arch, arch) != 0 ||
            !version_matches(rule, p->version))
            continue;
        if (best < 0 || version_compare(p->version, index->items[best].package->version) > 0)
            best = (ssize_t)i;
    }
    return best;
}
