/* hostletctl: what its files share. A command is an entry in the table of commands.c; main.c parses its
 * options and calls it. */
#pragma once

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/paths/tree.h"
#include "lib/varlink/client.h"

#define CTL_OPTIONS_MAX 16

struct ctl_option {
    const char *name;     /* long form; NULL ends a list */
    char letter;          /* short form, or 0 */
    const char *argument; /* placeholder of its argument; NULL: a flag */
    const char *help;
};

struct ctl {
    struct tree tree;
    bool json;
    const struct command *command;
    const char *values[CTL_OPTIONS_MAX]; /* parallel to command->options: NULL not given, "" a flag */
    char **arguments;                    /* ends with NULL */
    int n_arguments;
};

struct command {
    const char *name;                 /* one word, or group and command: "service restart" */
    const char *arguments;            /* for the usage line; "" for none */
    int min, max;                     /* how many arguments */
    const char *summary;              /* one line, lower case, no full stop */
    const char *help;                 /* more, or NULL */
    const struct ctl_option *options; /* or NULL */
    int (*run)(struct ctl *ctl);      /* returns an exit code (lib/basic/log.h) */
};

extern const struct command ctl_commands[]; /* ends with a name of NULL */

/* --- options.c --- */

/* The value of an option of this command, "" for a flag; NULL when it was not given. */
const char *ctl_option(const struct ctl *ctl, const char *name);
/* A duration in microseconds, or a number; 'standard' when not given. What is malformed ends the program with
 * EXIT_USAGE. */
uint64_t ctl_option_duration(const struct ctl *ctl, const char *name, uint64_t standard);
int64_t ctl_option_number(const struct ctl *ctl, const char *name, int64_t min, int64_t max,
                          int64_t standard);

/* Parses the words behind the command's name (argv[0]). −1 to go on, else the exit code to end with. */
int ctl_parse_options(struct ctl *ctl, int argc, char **argv, const char **ret_prefix);

/* --- call.c --- */

/* One service of the tree. */
struct ctl_peer {
    const char *socket; /* its name below RUN */
    const struct varlink_interface *interface;
};
extern const struct ctl_peer ctl_supervisor, ctl_reconciler, ctl_driver, ctl_fetcher, ctl_provisioner,
    ctl_quota, ctl_gateway;

#define CTL_TIMEOUT_USEC (60 * USEC_PER_SEC)

/* One call and its answer, repeated for a while where the worker died on the way: every request may be
 * repeated. 'out' is the zeroed struct (release with ctl_done), or NULL. */
int ctl_call(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
             void *out, uint64_t timeout_usec, struct error *e);
/* Releases what ctl_call filled. */
void ctl_done(const struct ctl_peer *peer, const char *method, void *out);

/* A stream of answers, each told to 'on_item' (borrowed), until its end. */
typedef void (*ctl_item_fn)(const void *out, void *userdata);
int ctl_stream(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
               ctl_item_fn on_item, void *userdata, struct error *e);
/* The same with another time until the next answer than CTL_TIMEOUT_USEC. */
int ctl_stream_within(const struct ctl *ctl, const struct ctl_peer *peer, const char *method, const void *in,
                      ctl_item_fn on_item, void *userdata, uint64_t timeout_usec, struct error *e);

/* Says what went wrong; returns the exit code for it. */
int ctl_fail(const struct error *e);
