/* Implements options.h. */
#include "ctl/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/limit.h"
#include "lib/config/config.h"
#include "lib/config/value.h"

/* From OPTION_OWN on: the command's own options, in the order of its list. */
enum { OPTION_PREFIX = 256, OPTION_JSON, OPTION_HELP, OPTION_TIMEOUT, OPTION_OWN };

const char *ctl_option(const struct ctl *ctl, const char *name)
{
    const struct ctl_option *options = ctl->command->options;
    for (size_t i = 0; options && options[i].name; i++)
        if (streq(options[i].name, name))
            return ctl->values[i];
    abort(); /* the name is not in the command's list */
}

static uint64_t parse_duration_of(const char *name, const char *text)
{
    uint64_t usec = 0;
    if (parse_duration(text, &usec) < 0)
        fatal(EXIT_USAGE, "--%s: '%s' is no duration; write 500ms, 10s, 5min, 2h or a number of seconds",
              name, text);
    return usec;
}

uint64_t ctl_option_duration(const struct ctl *ctl, const char *name, uint64_t standard)
{
    const char *text = ctl_option(ctl, name);
    return text ? parse_duration_of(name, text) : standard;
}

void ctl_limit(const char *text)
{
    limit_begin(parse_duration_of("timeout", text));
}

int64_t ctl_option_number(const struct ctl *ctl, const char *name, int64_t min, int64_t max, int64_t standard)
{
    const char *text = ctl_option(ctl, name);
    int64_t number = standard;
    if (text && parse_int64(text, min, max, &number) < 0)
        fatal(EXIT_USAGE, "--%s: '%s' is no number from %lld to %lld", name, text, (long long)min,
              (long long)max);
    return number;
}

static void print_option(const char *name, char letter, const char *argument, const char *help)
{
    char left[80], form[64];
    snprintf(form, sizeof form, "%s%s%s", name, argument ? " " : "", argument ?: "");
    if (letter)
        snprintf(left, sizeof left, "  -%c, --%s", letter, form);
    else
        snprintf(left, sizeof left, "      --%s", form);
    printf("%-28s %s\n", left, help);
}

static void ctl_print_help(const struct command *command)
{
    printf("Usage: hostletctl %s%s%s%s\n\n%c%s.\n", command->name, command->options ? " [OPTION…]" : "",
           *command->arguments ? " " : "", command->arguments,
           command->summary[0] >= 'a' && command->summary[0] <= 'z' ? command->summary[0] - 'a' + 'A'
                                                                    : command->summary[0],
           command->summary + 1);
    if (command->help)
        printf("%s\n", command->help);
    putchar('\n');
    for (const struct ctl_option *o = command->options; o && o->name; o++)
        print_option(o->name, o->letter, o->argument, o->help);
    print_option("timeout", 't', "D", "time-out of the whole command, such as 10s");
    print_option("json", 0, NULL, "print JSON");
    print_option("prefix", 0, "DIR", "call the tree below DIR ($HOSTLET_PREFIX)");
    print_option("help", 'h', NULL, "print this text");
}

/* The tables for getopt_long(3), made from a command's list of options. */
struct parser {
    struct option longs[CTL_OPTIONS_MAX + 5];
    char shorts[2 * CTL_OPTIONS_MAX + 10];
};

static void make_parser(const struct command *command, struct parser *p)
{
    size_t n = 0, s = 0;
    *p = (struct parser){.shorts = ""};
    for (const char *c = "ht:"; *c; c++)
        p->shorts[s++] = *c;
    p->longs[n++] = (struct option){"prefix", required_argument, NULL, OPTION_PREFIX};
    p->longs[n++] = (struct option){"json", no_argument, NULL, OPTION_JSON};
    p->longs[n++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    p->longs[n++] = (struct option){"timeout", required_argument, NULL, OPTION_TIMEOUT};
    for (size_t i = 0; command->options && command->options[i].name; i++) {
        const struct ctl_option *o = &command->options[i];
        int has = o->argument ? required_argument : no_argument;
        p->longs[n++] = (struct option){o->name, has, NULL, OPTION_OWN + (int)i};
        if (o->letter)
            p->shorts[s++] = o->letter;
        if (o->letter && o->argument)
            p->shorts[s++] = ':';
    }
}

static void set_short(struct ctl *ctl, int letter, const char *value)
{
    const struct ctl_option *options = ctl->command->options;
    for (size_t i = 0; options && options[i].name; i++)
        if (options[i].letter == letter)
            ctl->values[i] = value;
}

static int check_arguments(const struct ctl *ctl)
{
    const struct command *command = ctl->command;
    for (int i = 0; i < ctl->n_arguments; i++)
        if (!*ctl->arguments[i]) { /* probably a variable that a script did not set */
            log_error("%s: argument %d is empty", command->name, i + 1);
            return EXIT_USAGE;
        }
    if (ctl->n_arguments >= command->min && ctl->n_arguments <= command->max)
        return -1;
    if (ctl->n_arguments > command->max)
        log_error("%s: unexpected argument '%s'", command->name, ctl->arguments[command->max]);
    else
        log_error("%s: %s is missing", command->name, command->arguments);
    fprintf(stderr, "Usage: hostletctl %s%s%s%s\n", command->name, command->options ? " [OPTION…]" : "",
            *command->arguments ? " " : "", command->arguments);
    return EXIT_USAGE;
}

int ctl_parse_options(struct ctl *ctl, int argc, char **argv, const char **ret_prefix)
{
    struct parser parser;
    make_parser(ctl->command, &parser);
    optind = 0; /* reset getopt, which main.c has used for the options before the command */
    for (int c; (c = getopt_long(argc, argv, parser.shorts, parser.longs, NULL)) != -1;)
        switch (c) {
        case OPTION_PREFIX:
            *ret_prefix = optarg;
            break;
        case OPTION_JSON:
            ctl->json = true;
            break;
        case OPTION_TIMEOUT:
        case 't':
            ctl_limit(optarg);
            break;
        case OPTION_HELP:
        case 'h':
            ctl_print_help(ctl->command);
            return EXIT_OK;
        case '?':
            fprintf(stderr, "'hostletctl %s --help' shows the options.\n", ctl->command->name);
            return EXIT_USAGE;
        default:
            if (c >= OPTION_OWN)
                ctl->values[c - OPTION_OWN] = optarg ?: "";
            else
                set_short(ctl, c, optarg ?: "");
        }
    ctl->arguments = argv + optind;
    ctl->n_arguments = argc - optind;
    return check_arguments(ctl);
}
