/* Fuzzes the parsers of package data: the header of a package, an index, versions and ids. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/basic/fs.h"
#include "lib/package/header.h"
#include "lib/package/id.h"
#include "lib/package/index.h"
#include "lib/package/version.h"

static void check_id(const struct package *p)
{
    struct package_id id;
    struct error e = ERROR_INIT;
    must(package_id_check(p->name, p->id, &e) == 0);
    must(package_id_parse(p->id, &id, &e) == 0);
    must(!strchr(id.name, '/') && !strchr(id.version, '/') && id.name[0] != '.');
    package_id_clear(&id);
}

static void head(int fd)
{
    struct package *p = NULL, *again = NULL;
    struct error e = ERROR_INIT;
    uint64_t offset, size;
    if (package_header_read(fd, "input", &p, &offset, &size, &e) < 0) {
        must(*e.message);
        return;
    }
    must(offset >= 8 && offset <= 8 + PACKAGE_HEADER_MAX);
    check_id(p);
    json_t *json = package_to_json(p);
    must(package_from_json(json, &again, &e) == 0);
    must(strcmp(p->id, again->id) == 0 && p->size == again->size && p->compression == again->compression);
    json_decref(json);
    package_free(again);
    package_free(p);
}

static void index_text(const char *text, size_t size)
{
    struct package_index *index = NULL, *again = NULL;
    struct error e = ERROR_INIT;
    if (package_index_parse(text, size, &index, &e) < 0) {
        must(*e.message);
        return;
    }
    for (size_t i = 0; i < index->n_items; i++) {
        must(package_index_file_is_plain(index->items[i].file));
        check_id(index->items[i].package);
    }
    char *formatted = package_index_format(index);
    must(package_index_parse(formatted, strlen(formatted), &again, &e) == 0);
    must(again->n_items == index->n_items);
    free(formatted);
    package_index_free(again);
    package_index_free(index);
}

/* Compares the two halves of the text as versions: the order must be consistent. */
static void versions(const char *text)
{
    struct error e = ERROR_INIT;
    char *a = strdup(text), *b = strchr(a, '\n');
    if (b)
        *b++ = '\0';
    else
        b = a;
    int forth = version_compare(a, b), back = version_compare(b, a);
    must((forth < 0) == (back > 0) && (forth > 0) == (back < 0));
    must(version_compare(a, a) == 0);
    if (version_check(a, &e) == 0) {
        char *plain = version_without_rebuild(a);
        must(version_check(plain, &e) == 0 && version_matches("", a));
        free(plain);
    }
    free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && write_all(fd, data, size) == 0);
    head(fd);
    close(fd);
    index_text(text, size);
    versions(text);
    free(text);
    return 0;
}
