/* Implements the commands for packages: build, inspect, index (files); list, fetch (the store of this
 * machine). */
#include "ctl/package.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "ctl/call.h"
#include "ctl/options.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "lib/api/fetcher.h"
#include "lib/package/build.h"
#include "lib/package/entry.h"
#include "lib/package/index.h"
#include "lib/package/index_scan.h"
#include "lib/package/reader.h"
#include "lib/schema/pack.h"

/* --- files --- */

static void note(void *userdata, const char *message)
{
    (void)userdata;
    log_notice("%s", message);
}

static int build_options(struct ctl *ctl, struct package_build_options *ret, struct error *e)
{
    const char *compress = ctl_option(ctl, "compress") ?: "xz";
    *ret = (struct package_build_options){
        .directory = ctl->arguments[0],
        .output_directory = ctl_option(ctl, "output") ?: ".",
        .name = ctl_option(ctl, "name"),
        .version = ctl_option(ctl, "version"),
        .os = ctl_option(ctl, "os") ?: "linux",
        .arch = ctl_option(ctl, "arch") ?: HOSTLET_ARCH,
        .description = ctl_option(ctl, "description"),
        .license = ctl_option(ctl, "license"),
        .homepage = ctl_option(ctl, "homepage"),
        .repository = ctl_option(ctl, "repository"),
        .level = (int)ctl_option_number(ctl, "level", 0, 22, -1),
        .note = note,
    };
    if (!ret->name || !ret->version)
        fatal(EXIT_USAGE, "package build: --%s is missing", ret->name ? "version" : "name");
    if (compression_from_string(compress, &ret->compression) < 0)
        fatal(EXIT_USAGE, "--compress: '%s' is none of xz, gzip, zstd, none", compress);
    return package_build_time(&ret->time, e);
}

static int open_package(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? error_os(e, errno, "cannot open '%s'", path) : fd;
}

/* Reads the new package as 'inspect' and the unpacker do, and warns if they refuse it. */
static void warn_if_refused(const char *path)
{
    const struct package_limits limits = PACKAGE_LIMITS_DEFAULT;
    const struct source_options options = {.what = path, .limits = &limits};
    struct error e = ERROR_INIT;
    struct package_entry entry;
    _cleanup_(cleanup_package_reader_close) struct package_reader *reader = NULL;
    _cleanup_close_ int fd = open_package(path, &e);
    int r = fd < 0 ? fd : package_reader_open(fd, &options, &reader, &e);
    for (r = r < 0 ? r : 1; r > 0;)
        r = package_reader_next(reader, &entry, &e);
    if (r < 0)
        log_warning("the package is built, but inspect and machines refuse it: %s (see section [unpacker] of "
                    "hostlet.conf(5))",
                    e.message);
}

int command_package_build(struct ctl *ctl)
{
    struct package_build_options options;
    struct error e = ERROR_INIT;
    _cleanup_free_ char *path = NULL;
    _cleanup_package_ struct package *package = NULL;
    if (build_options(ctl, &options, &e) < 0 || package_build(&options, &path, &package, &e) < 0)
        return ctl_fail(&e);
    warn_if_refused(path);
    if (ctl->json)
        print_json(json_pack("{s:s,s:o}", "file", path, "package", package_to_json(package)));
    else {
        _cleanup_free_ char *size = format_size((int64_t)package->size);
        printf("%s (%s, %s)\n", path, size, compression_to_string(package->compression));
    }
    return EXIT_OK;
}

static void print_package(const struct package *p)
{
    const struct {
        const char *name, *value;
    } fields[] = {
        {"id", p->id},
        {"name", p->name},
        {"version", p->version},
        {"os", p->os},
        {"arch", p->arch},
        {"description", p->description},
        {"license", p->license},
        {"homepage", p->homepage},
        {"repository", p->repository},
        {"sha256", p->sha256},
        {"compress", compression_to_string(p->compression)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        _cleanup_free_ char *value = format_safe(fields[i].value);
        if (*value)
            printf("%-12s %s\n", fields[i].name, value);
    }
    _cleanup_free_ char *built = format_time(p->built * 1000);
    printf("%-12s %s\n%-12s %" PRIu64 "\n", "built", built, "data block", p->size);
}

static json_t *pack_entry(const struct package_entry *entry, const char *name)
{
    static const char *const types[] = {
        [ENTRY_DIRECTORY] = "directory", [ENTRY_FILE] = "file", [ENTRY_SYMLINK] = "symlink"};
    _cleanup_free_ char *target = entry->target ? entry_printable(entry->target) : NULL,
                        *mode = xasprintf("%04o", (unsigned)entry->mode);
    json_t *json = json_pack("{s:s,s:s,s:s,s:I}", "name", name, "type", types[entry->type], "mode", mode,
                             "size", (json_int_t)entry->size);
    if (target)
        json_object_set_new(json, "target", json_string(target));
    return json;
}

static void print_entry(const struct package_entry *entry, const char *name)
{
    static const char types[] = {[ENTRY_DIRECTORY] = 'd', [ENTRY_FILE] = '-', [ENTRY_SYMLINK] = 'l'};
    _cleanup_free_ char *target = entry->target ? entry_printable(entry->target) : NULL;
    printf("%c%04o %10" PRIu64 "  %s%s%s\n", types[entry->type], (unsigned)entry->mode, entry->size, name,
           target ? " -> " : "", target ?: "");
}

/* Reads the whole package, which verifies it, and prints its entries. Returns 0 or a negative errno. */
static int inspect(struct ctl *ctl, struct package_reader *reader, json_t *entries, struct error *e)
{
    struct package_entry entry;
    int r;
    while ((r = package_reader_next(reader, &entry, e)) > 0) {
        _cleanup_free_ char *name = entry_printable(*entry.name ? entry.name : ".");
        if (ctl->json)
            json_array_append_new(entries, pack_entry(&entry, name));
        else
            print_entry(&entry, name);
    }
    return r;
}

int command_package_inspect(struct ctl *ctl)
{
    const char *path = ctl->arguments[0];
    const struct package_limits limits = PACKAGE_LIMITS_DEFAULT;
    const struct source_options options = {.what = path, .limits = &limits};
    struct error e = ERROR_INIT;
    _cleanup_(cleanup_package_reader_close) struct package_reader *reader = NULL;
    _cleanup_close_ int fd = open_package(path, &e);
    if (fd < 0 || package_reader_open(fd, &options, &reader, &e) < 0)
        return ctl_fail(&e);
    json_t *entries = json_array();
    if (!ctl->json)
        print_package(package_reader_package(reader));
    int r = inspect(ctl, reader, entries, &e);
    if (r >= 0 && ctl->json)
        print_json(json_pack("{s:o,s:O}", "package", package_to_json(package_reader_package(reader)),
                             "entries", entries));
    else if (r >= 0)
        puts("complete: checksum and archive are valid");
    json_decref(entries);
    fflush(stdout);
    return r < 0 ? ctl_fail(&e) : EXIT_OK;
}

int command_package_index(struct ctl *ctl)
{
    struct error e = ERROR_INIT;
    size_t n = 0;
    if (package_index_write(ctl->arguments[0], &n, &e) < 0)
        return ctl_fail(&e);
    _cleanup_free_ char *path = xasprintf("%s/index.json", ctl->arguments[0]);
    if (ctl->json)
        print_json(json_pack("{s:s,s:I}", "file", path, "packages", (json_int_t)n));
    else
        printf("%s: %zu package%s\n", path, n, n == 1 ? "" : "s");
    return EXIT_OK;
}

/* --- the store --- */

struct listing {
    struct table *table;
    json_t *array;
};

static void add_listed(const void *answer, void *userdata)
{
    const struct fetcher_list_out *out = answer;
    struct listing *l = userdata;
    if (!out->id)
        return;
    _cleanup_free_ char *size = format_size(out->size);
    table_cell(l->table, PLAIN, "%s", out->name ?: "");
    table_cell(l->table, PLAIN, "%s", out->id);
    table_cell(l->table, PLAIN, "%s", size);
    table_cell(l->table, out->complete ? GREEN : YELLOW, "%s", out->complete ? "complete" : "partial");
    table_cell(l->table, PLAIN, "%s", out->path ?: "");
    json_array_append_new(l->array, schema_pack(varlink_find_method(&fetcher_interface, "List")->out, out));
}

int command_package_list(struct ctl *ctl)
{
    struct listing l = {table_new("PACKAGE", "ID", "SIZE", "STATE", "PATH", NULL), json_array()};
    struct error e = ERROR_INIT;
    int r = ctl_stream(ctl, &ctl_fetcher, "List", NULL, add_listed, &l, &e);
    if (r >= 0 && ctl->json)
        print_json(json_incref(l.array));
    else if (r >= 0 && table_rows(l.table) == 0)
        puts("no packages");
    table_print(l.table, r < 0 || ctl->json);
    json_decref(l.array);
    return r < 0 ? ctl_fail(&e) : EXIT_OK;
}

struct fetching {
    bool live, shown;
    char *path;
};

static void on_progress(const void *answer, void *userdata)
{
    const struct fetcher_fetch_out *out = answer;
    struct fetching *f = userdata;
    if (out->path) {
        free(f->path);
        f->path = xstrdup(out->path);
    }
    if (!f->live)
        return;
    _cleanup_free_ char *done = format_size(out->done), *total = format_size(out->total),
                        *message = format_safe(out->message);
    size_t columns, rows;
    output_size(&columns, &rows);
    _cleanup_free_ char *line = xasprintf("%s of %s  %s", done, total, message),
                        *cut = text_cut(line, columns > 1 ? columns - 1 : columns);
    output_control("\r\033[2K");
    fputs(cut, stdout);
    fflush(stdout);
    f->shown = true;
}

/* Fetches a package. If the fetcher is lost, the call is repeated for up to 60 seconds, and the transfer
 * resumes. The caller frees *ret_path. */
static int fetch(struct ctl *ctl, struct package_reference *package, char **ret_path, struct error *e)
{
    const struct fetcher_fetch_in in = {.package = package};
    struct fetching f = {.live = !ctl->json && output_is_live()};
    uint64_t deadline = now_monotonic_usec() + CTL_TIMEOUT_USEC;
    int r;
    do
        r = ctl_stream(ctl, &ctl_fetcher, "Fetch", &in, on_progress, &f, e);
    while (r < 0 && error_worker_lost(e) && now_monotonic_usec() < deadline);
    if (f.shown)
        output_control("\r\033[2K");
    *ret_path = f.path;
    return r;
}

int command_package_fetch(struct ctl *ctl)
{
    const struct fetcher_resolve_in in = {.name = ctl->arguments[0],
                                          .version = ctl->n_arguments > 1 ? ctl->arguments[1] : NULL,
                                          .os = (char *)ctl_option(ctl, "os"),
                                          .arch = (char *)ctl_option(ctl, "arch")};
    struct fetcher_resolve_out out = {.package = NULL};
    struct error e = ERROR_INIT;
    _cleanup_free_ char *path = NULL;
    if (ctl_call(ctl, &ctl_fetcher, "Resolve", &in, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    int r = fetch(ctl, out.package, &path, &e);
    if (r >= 0 && ctl->json)
        print_json(json_pack("{s:s,s:s,s:o}", "id", out.package->id, "path", path ?: "", "package",
                             schema_pack(&package_reference_schema, out.package)));
    else if (r >= 0)
        printf("%s: %s\n", out.package->id, path ?: "");
    ctl_done(&ctl_fetcher, "Resolve", &out);
    return r < 0 ? ctl_fail(&e) : EXIT_OK;
}
