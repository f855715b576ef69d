/* Implements describe.h. */
#include "lib/varlink/describe.h"

#include <stdio.h>
#include <stdlib.h>

/* The named types of an interface, each once, in the order of first use. */
struct types {
    const struct schema_struct *structs[128];
    size_t n_structs;
    const struct schema_enum *enums[64];
    size_t n_enums;
};

static void collect(struct types *t, const struct schema_struct *s)
{
    for (const struct schema_field *f = s ? s->fields : NULL; f && f->name; f++) {
        size_t i = 0;
        if (f->type == SCHEMA_ENUM) {
            while (i < t->n_enums && t->enums[i] != f->enumeration)
                i++;
            if (i == t->n_enums && i < ARRAY_SIZE(t->enums))
                t->enums[t->n_enums++] = f->enumeration;
        } else if (f->type == SCHEMA_STRUCT) {
            while (i < t->n_structs && t->structs[i] != f->structure)
                i++;
            if (i < t->n_structs)
                continue;
            if (i == ARRAY_SIZE(t->structs))
                abort();
            t->structs[t->n_structs++] = f->structure;
            collect(t, f->structure);
        }
    }
}

/* Writes a comment of any length as lines of "# …" with at most 100 characters of text. */
static void write_comment(FILE *out, const char *indent, const char *text)
{
    while (text && *text) {
        size_t n = strlen(text), width = 100;
        if (n > width) {
            n = width;
            while (n > 0 && text[n] != ' ')
                n--;
            if (n == 0)
                n = width;
        }
        fprintf(out, "%s# %.*s\n", indent, (int)n, text);
        text += n;
        while (*text == ' ')
            text++;
    }
}

static void write_type(FILE *out, const struct schema_field *f)
{
    static const char *const names[] = {
        [SCHEMA_BOOL] = "bool", [SCHEMA_INT] = "int", [SCHEMA_STRING] = "string", [SCHEMA_OBJECT] = "object"};
    fprintf(out, "%s%s%s%s", f->flags & SCHEMA_NULLABLE ? "?" : "", f->flags & SCHEMA_ARRAY ? "[]" : "",
            f->flags & SCHEMA_MAP ? "[string]" : "",
            f->type == SCHEMA_STRUCT ? f->structure->name
            : f->type == SCHEMA_ENUM ? f->enumeration->name
                                     : names[f->type]);
}

static void write_struct(FILE *out, const struct schema_struct *s)
{
    if (!s || !s->fields[0].name) {
        fputs("()", out);
        return;
    }
    fputs("(\n", out);
    for (const struct schema_field *f = s->fields; f->name; f++) {
        write_comment(out, "  ", f->comment);
        fprintf(out, "  %s: ", f->name);
        write_type(out, f);
        fputs(f[1].name ? ",\n" : "\n", out);
    }
    fputc(')', out);
}

static void write_enum(FILE *out, const struct schema_enum *en)
{
    fputc('\n', out);
    write_comment(out, "", en->comment);
    fprintf(out, "type %s (", en->name);
    bool first = true;
    for (size_t i = 0; i == 0 || en->values[i]; i++)
        if (en->values[i]) {
            fprintf(out, "%s%s", first ? "" : ", ", en->values[i]);
            first = false;
        }
    fputs(")\n", out);
}

static void write_method(FILE *out, const struct varlink_method *m)
{
    fputc('\n', out);
    write_comment(out, "", m->comment);
    if (m->flags & VARLINK_MORE)
        write_comment(out, "", "Supports 'more': a stream of replies.");
    if (m->flags & VARLINK_UPGRADE)
        write_comment(out, "", "Requires 'upgrade': after the reply the connection carries raw bytes.");
    fprintf(out, "method %s", m->name);
    write_struct(out, m->in);
    fputs(" -> ", out);
    write_struct(out, m->out);
    fputc('\n', out);
}

char *varlink_describe(const struct varlink_interface *interface)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    write_comment(out, "", interface->comment);
    fprintf(out, "interface %s\n", interface->name);

    struct types types = {.n_structs = 0};
    for (const struct varlink_method *m = interface->methods; m && m->name; m++) {
        collect(&types, m->in);
        collect(&types, m->out);
    }
    for (const struct varlink_error *x = interface->errors; x && x->name; x++)
        collect(&types, x->parameters);
    for (size_t i = 0; i < types.n_enums; i++)
        write_enum(out, types.enums[i]);
    for (size_t i = 0; i < types.n_structs; i++) {
        fputc('\n', out);
        write_comment(out, "", types.structs[i]->comment);
        fprintf(out, "type %s ", types.structs[i]->name);
        write_struct(out, types.structs[i]);
        fputc('\n', out);
    }
    for (const struct varlink_method *m = interface->methods; m && m->name; m++)
        write_method(out, m);
    for (const struct varlink_error *x = interface->errors; x && x->name; x++) {
        fputc('\n', out);
        write_comment(out, "", x->comment);
        fprintf(out, "error %s ", x->name);
        write_struct(out, x->parameters);
        fputc('\n', out);
    }
    fclose(out);
    return text;
}
