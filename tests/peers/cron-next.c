/* Prints when cron expressions match. Each line of the input is "START COUNT EXPRESSION": the times after
 * START (unix seconds) are printed on one line, or a message that begins with "error: ". Time zones are read
 * from the directory that is the argument; an expression without one is in UTC. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/cron/next.h"

DEFINE_CLEANUP(struct tz *, tz_free);

static int load(const char *directory, const char *zone, struct tz **ret, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", directory, zone), *data = NULL;
    size_t size;
    if (!*zone || streq(zone, "UTC"))
        return 0;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tz_parse_rule(zone, ret, e);
    int r = read_open_file(fd, path, TZ_FILE_MAX, &data, &size, e);
    return r < 0 ? r : tz_parse_file(data, size, ret, e);
}

static void print_times(const char *directory, int64_t after, int count, const char *text)
{
    struct error e = ERROR_INIT;
    struct cron cron;
    _cleanup_(cleanup_tz_free) struct tz *tz = NULL;
    if (cron_parse(text, &cron, &e) < 0 || load(directory, cron.zone, &tz, &e) < 0) {
        printf("error: %s\n", e.message);
        return;
    }
    for (int i = 0; i < count && after != CRON_NEVER; i++) {
        after = cron.every > 0 ? after + cron.every : cron_next(&cron, tz, after);
        if (after != CRON_NEVER)
            printf("%s%" PRId64, i > 0 ? " " : "", after);
    }
    putchar('\n');
}

int main(int argc, char *argv[])
{
    char line[4096];
    if (argc != 2) {
        fputs("usage: cron-next ZONEINFO\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, stdin)) {
        char *at = line;
        line[strcspn(line, "\n")] = '\0';
        int64_t after = strtoll(at, &at, 10);
        int count = (int)strtol(at, &at, 10);
        print_times(argv[1], after, count, at + (*at == ' '));
        fflush(stdout);
    }
    return 0;
}
