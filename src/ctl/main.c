/* Starts hostletctl, the administrator's command.
 * Job: turns command lines into calls of the tree's services, and replies into text or JSON.
 * Privileges: those of its caller; each service admits its callers (the right to apply equals root).
 * Failures: one message on standard error that names the object, and an exit code of hostletctl(8).
 * Interrupting hostletctl cancels no request: the tree continues to execute it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/limit.h"
#include "ctl/options.h"
#include "ctl/output.h"
#include "lib/basic/fs.h"

static void print_usage(void)
{
    printf("Usage: hostletctl [--prefix DIR] [--json] COMMAND [ARGUMENT…]\n\n"
           "Shows and changes what runs on this machine; see hostletctl(8).\n\n");
    for (const struct command *c = ctl_commands; c->name; c++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", c->name, c->arguments);
        printf("  %-34s %s\n", left, c->summary);
    }
    printf("\nOptions of all commands:\n"
           "      --prefix DIR             call the tree below DIR instead of the installed one "
           "($HOSTLET_PREFIX)\n"
           "      --json                   print JSON\n"
           "  -t, --timeout D              time-out of the whole command, such as 10s\n"
           "  -h, --help                   print this text; after a command: its options\n"
           "      --version                print the version\n\n"
           "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the tree or a service is not running,\n"
           "4 not done in time (the work continues in the background).\n");
}

/* Returns the command that the first words name; *ret_words is their number, 1 or 2. Prints a message and
 * returns NULL if there is none; exits after the help of a group of commands. */
static const struct command *find_command(int argc, char **argv, int *ret_words)
{
    bool group = false;
    for (const struct command *c = ctl_commands; c->name; c++) {
        if (streq(c->name, argv[0])) {
            *ret_words = 1;
            return c;
        }
        const char *rest = after_prefix(c->name, argv[0]);
        if (!rest || *rest != ' ')
            continue;
        group = true;
        if (argc > 1 && streq(rest + 1, argv[1])) {
            *ret_words = 2;
            return c;
        }
    }
    if (!group) {
        log_error("there is no command '%s'; 'hostletctl --help' shows all", argv[0]);
        return NULL;
    }
    bool help = argc > 1 && (streq(argv[1], "--help") || streq(argv[1], "-h"));
    if (!help && argc > 1)
        log_error("there is no command '%s %s'", argv[0], argv[1]);
    FILE *out = help ? stdout : stderr;
    for (const struct command *c = ctl_commands; c->name; c++) {
        const char *rest = after_prefix(c->name, argv[0]);
        if (rest && *rest == ' ')
            fprintf(out, "Usage: hostletctl %s%s%s\n           %s\n", c->name, *c->arguments ? " " : "",
                    c->arguments, c->summary);
    }
    if (help)
        exit(EXIT_OK);
    return NULL;
}

static int run(struct ctl *ctl, int argc, char **argv, const char *prefix)
{
    struct error e = ERROR_INIT;
    int words = 1;
    ctl->command = find_command(argc, argv, &words);
    if (!ctl->command)
        return EXIT_USAGE;
    char **rest = argv + words - 1;
    rest[0] = (char *)"hostletctl"; /* what getopt begins its messages with */
    int code = ctl_parse_options(ctl, argc - words + 1, rest, &prefix);
    if (code >= 0)
        return code;
    if (tree_init(&ctl->tree, prefix, NULL, NULL, &e) < 0) {
        log_error("%s", e.message);
        return EXIT_USAGE;
    }
    code = ctl->command->run(ctl);
    if (code != EXIT_OK && code != EXIT_TIMEOUT && limit_is_over()) /* that is why it failed */
        code = limit_fail();
    tree_done(&ctl->tree);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_error("cannot write to standard output");
        return EXIT_FAILED;
    }
    return code;
}

int main(int argc, char **argv)
{
    enum { PREFIX = 256, JSON, SHOW_VERSION };
    static const struct option options[] = {{"prefix", required_argument, NULL, PREFIX},
                                            {"json", no_argument, NULL, JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"version", no_argument, NULL, SHOW_VERSION},
                                            {NULL, 0, NULL, 0}};
    struct ctl ctl = {.json = false};
    const char *prefix = NULL;
    if (fill_standard_descriptors() < 0)
        return EXIT_FAILED;
    output_open();
    log_open("hostletctl", LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
    argv[0] = (char *)"hostletctl";
    for (int c; (c = getopt_long(argc, argv, "+ht:", options, NULL)) != -1;)
        switch (c) {
        case PREFIX:
            prefix = optarg;
            break;
        case JSON:
            ctl.json = true;
            break;
        case 't':
            ctl_limit(optarg);
            break;
        case 'h':
            print_usage();
            return EXIT_OK;
        case SHOW_VERSION:
            printf("hostletctl (hostlet) %s\n", PACKAGE_VERSION);
            return EXIT_OK;
        default:
            fprintf(stderr, "'hostletctl --help' shows commands and options.\n");
            return EXIT_USAGE;
        }
    if (optind == argc) {
        log_error("a command is missing; 'hostletctl --help' shows all");
        return EXIT_USAGE;
    }
    return run(&ctl, argc - optind, argv + optind, prefix);
}
