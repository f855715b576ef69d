/* Implements the command describe: prints the interfaces in Varlink's language, or all of them as one page in
 * Markdown. 'make update-proto' writes the files of proto/ with it. */
#include "ctl/describe.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/options.h"
#include "lib/api/container_driver.h"
#include "lib/api/fetcher.h"
#include "lib/api/net_keeper.h"
#include "lib/api/provisioner.h"
#include "lib/api/quota_keeper.h"
#include "lib/api/reconciler.h"
#include "lib/api/rpc_gateway.h"
#include "lib/api/supervisor.h"
#include "lib/api/unpacker.h"
#include "lib/varlink/describe.h"

static const struct varlink_interface *const interfaces[] = {
    &varlink_common_interface, &supervisor_interface,  &reconciler_interface,   &fetcher_interface,
    &unpacker_interface,       &provisioner_interface, &quota_keeper_interface, &container_driver_interface,
    &net_keeper_interface,     &rpc_gateway_interface,
};

/* The types of the interfaces printed so far, each of which is described once. */
struct types {
    const struct schema_struct *structs[256];
    size_t n_structs;
    const struct schema_enum *enums[64];
    size_t n_enums;
};

static void collect_enum(struct types *t, const struct schema_enum *en)
{
    for (size_t i = 0; i < t->n_enums; i++)
        if (t->enums[i] == en)
            return;
    if (t->n_enums == ARRAY_SIZE(t->enums))
        abort();
    t->enums[t->n_enums++] = en;
}

static void collect(struct types *t, const struct schema_struct *s)
{
    for (const struct schema_field *f = s ? s->fields : NULL; f && f->name; f++) {
        if (f->type == SCHEMA_ENUM)
            collect_enum(t, f->enumeration);
        if (f->type != SCHEMA_STRUCT)
            continue;
        bool known = false;
        for (size_t i = 0; i < t->n_structs && !known; i++)
            known = t->structs[i] == f->structure;
        if (known)
            continue;
        if (t->n_structs == ARRAY_SIZE(t->structs))
            abort();
        t->structs[t->n_structs++] = f->structure;
        collect(t, f->structure);
    }
}

/* Prints a comment with the characters escaped that Markdown would read as markup. */
static void print_text(const char *text)
{
    for (const char *c = text ?: ""; *c; c++) {
        if (*c == '|' || *c == '*' || *c == '_' || *c == '<')
            putchar('\\');
        putchar(*c);
    }
}

static void print_type(const struct schema_field *f)
{
    static const char *const names[] = {
        [SCHEMA_BOOL] = "bool", [SCHEMA_INT] = "int", [SCHEMA_STRING] = "string", [SCHEMA_OBJECT] = "object"};
    if (f->flags & SCHEMA_ARRAY)
        fputs("list of ", stdout);
    if (f->flags & SCHEMA_MAP)
        fputs("map of ", stdout);
    if (f->type == SCHEMA_STRUCT || f->type == SCHEMA_ENUM) {
        const char *name = f->type == SCHEMA_STRUCT ? f->structure->name : f->enumeration->name;
        fputs(name, stdout);
    } else
        fputs(names[f->type], stdout);
    if ((f->flags & SCHEMA_NULLABLE) && !(f->flags & (SCHEMA_ARRAY | SCHEMA_MAP)))
        fputs(", optional", stdout);
}

static void print_fields(const char *title, const struct schema_struct *s)
{
    if (!s || !s->fields[0].name)
        return;
    printf("| %s | type | |\n|---|---|---|\n", title);
    for (const struct schema_field *f = s->fields; f->name; f++) {
        printf("| `%s` | ", f->name);
        print_type(f);
        fputs(" | ", stdout);
        print_text(f->comment);
        fputs(" |\n", stdout);
    }
    putchar('\n');
}

static void print_interface(const struct varlink_interface *interface, struct types *types)
{
    printf("## %s\n\n", interface->name);
    print_text(interface->comment);
    fputs("\n\n", stdout);
    for (const struct varlink_method *m = interface->methods; m && m->name; m++) {
        printf("### %s.%s\n\n", interface->name, m->name);
        print_text(m->comment);
        if (m->flags & VARLINK_MORE)
            fputs(" With `more`: a stream of answers.", stdout);
        if (m->flags & VARLINK_UPGRADE)
            fputs(" With `upgrade`: after the answer the connection carries raw bytes.", stdout);
        if (m->flags & VARLINK_CHANGES)
            fputs(" (Changes something.)", stdout);
        fputs("\n\n", stdout);
        print_fields("parameter", m->in);
        print_fields("answer", m->out);
        collect(types, m->in);
        collect(types, m->out);
    }
    for (const struct varlink_error *x = interface->errors; x && x->name; x++) {
        printf("### error %s.%s\n\n", interface->name, x->name);
        print_text(x->comment);
        fputs("\n\n", stdout);
        print_fields("parameter", x->parameters);
        collect(types, x->parameters);
    }
}

static void print_types(const struct types *types)
{
    fputs("## Types\n\n", stdout);
    for (size_t i = 0; i < types->n_enums; i++) {
        const struct schema_enum *en = types->enums[i];
        printf("### %s\n\nOne of", en->name);
        const char *separator = " ";
        for (size_t j = 0; j == 0 || en->values[j]; j++)
            if (en->values[j]) {
                printf("%s`%s`", separator, en->values[j]);
                separator = ", ";
            }
        fputs(".\n\n", stdout);
        if (en->comment) {
            print_text(en->comment);
            fputs("\n\n", stdout);
        }
    }
    for (size_t i = 0; i < types->n_structs; i++) {
        printf("### %s\n\n", types->structs[i]->name);
        if (types->structs[i]->comment) {
            print_text(types->structs[i]->comment);
            fputs("\n\n", stdout);
        }
        print_fields("member", types->structs[i]);
    }
}

static void print_reference(void)
{
    struct types types = {.n_structs = 0};
    puts("# The interfaces of hostlet's processes\n\n"
         "Made by `hostletctl describe --reference` from the declarations in `src/lib/api`; `make "
         "update-proto`\n"
         "writes it anew. Every service answers on its socket in Varlink (varlink.org), with one of these\n"
         "interfaces, `io.hostlet` (its errors) and `org.varlink.service`.\n");
    for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
        print_interface(interfaces[i], &types);
    print_types(&types);
}

static int print_json_of(const char *only)
{
    json_t *all = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
        _cleanup_free_ char *text = varlink_describe(interfaces[i]);
        if (!only || streq(only, interfaces[i]->name))
            json_object_set_new(all, interfaces[i]->name, json_string(text));
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
    return EXIT_OK;
}

int command_describe(struct ctl *ctl)
{
    const char *only = ctl->n_arguments > 0 ? ctl->arguments[0] : NULL;
    bool found = !only;
    for (size_t i = 0; i < ARRAY_SIZE(interfaces) && !found; i++)
        found = streq(only, interfaces[i]->name);
    if (!found) {
        log_error("there is no interface '%s'; 'hostletctl describe' prints all", only);
        return EXIT_FAILED;
    }
    if (ctl_option(ctl, "reference")) {
        print_reference();
        return EXIT_OK;
    }
    if (ctl->json)
        return print_json_of(only);
    for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
        _cleanup_free_ char *text = varlink_describe(interfaces[i]);
        if (!only && i > 0)
            putchar('\n');
        if (!only || streq(only, interfaces[i]->name))
            fputs(text, stdout);
    }
    return EXIT_OK;
}
