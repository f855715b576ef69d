/* The adoption ledger; see adoption.h. */
#include "container-driver/adoption.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define ADOPTION_FORMAT 1
#define LEDGER_MAX      ((size_t)4 << 20)

#define T struct adopted
static const struct schema_field adopted_fields[] = {
    S_STRING(T, id, NULL),
    S_INT(T, revision, NULL),
    S_END,
};
static const struct schema_struct adopted_schema = {"Adopted", sizeof(T), NULL, adopted_fields};
#undef T
#define T struct adoption
static const struct schema_field adoption_fields[] = {
    S_INT(T, format, NULL),
    S_STRUCTS(T, containers, struct adopted, &adopted_schema, NULL),
    S_END,
};
static const struct schema_struct adoption_schema = {"Adoption", sizeof(T), NULL, adoption_fields};
#undef T

int adoption_load(const char *directory, struct adoption *ret, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/adopted.json", directory), *text = NULL;
    struct adoption adoption = {.containers = NULL};
    size_t size;
    int r = read_file_at(AT_FDCWD, path, LEDGER_MAX, &text, &size, e);
    if (r == -ENOENT) {
        *ret = (struct adoption){.format = ADOPTION_FORMAT};
        return 0;
    }
    if (r >= 0)
        r = schema_parse_text(&adoption_schema, text, size, 0, path, &adoption, e);
    if (r >= 0 && adoption.format > ADOPTION_FORMAT) {
        r = error_refuse(e, EPROTONOSUPPORT, "'%s' has format %lld, this version knows %d", path,
                         (long long)adoption.format, ADOPTION_FORMAT);
        adoption_done(&adoption);
    }
    if (r >= 0)
        *ret = adoption;
    return r;
}

void adoption_done(struct adoption *adoption)
{
    schema_done(&adoption_schema, adoption);
}

void adoption_apply(const struct adoption *adoption, struct driver_container *c)
{
    for (size_t i = 0; !c->ours && i < adoption->n_containers; i++) {
        if (!streq(adoption->containers[i]->id, c->id))
            continue;
        c->ours = c->adopted = true;
        c->revision = adoption->containers[i]->revision;
        free(c->owner);
        c->owner = NULL;
    }
}
