/* Declares what all files of hostletctl share. A command is a row in the table of commands.c; main.c parses
 * its options and calls its function. */
#pragma once

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/paths/tree.h"
#include "lib/varlink/client.h"

#define CTL_OPTIONS_MAX 16

struct ctl_option {
    const char *name;     /* long form; NULL: end of the list */
    char letter;          /* short form, or 0 */
    const char *argument; /* placeholder of the argument; NULL: the option is a flag */
    const char *help;
};

struct ctl {
    struct tree tree;
    bool json;
    const struct command *command;
    const char *values[CTL_OPTIONS_MAX]; /* parallel to command->options; NULL: not given; "": a flag */
    char **arguments;                    /* end with NULL */
    int n_arguments;
};

struct command {
    const char *name;                 /* one word, or group and command: "service restart" */
    const char *arguments;            /* for the usage line; "" for none */
    int min, max;                     /* number of arguments */
    const char *summary;              /* one line, lower case, no full stop */
    const char *help;                 /* further sentences, or NULL */
    const struct ctl_option *options; /* or NULL */
    int (*run)(struct ctl *ctl);      /* returns an exit code (lib/basic/log.h) */
};
