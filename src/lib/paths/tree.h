/* Determines the paths of one tree of hostlet. With a prefix all are below it, as the InnerStack contract
 * defines; without, they are the system's directories. */
#pragma once

#include "lib/basic/error.h"

/* Names in VAR/ipk_install, beside the packages: */
/* The unpacker's: {key}, as package_key() makes it, is a package that is not published yet. */
#define IPK_STAGING ".staging"
/* A prefix of names in {name}: unfinished work of an earlier version's unpacker. */
#define IPK_UNFINISHED ".staging-"
/* Root's: packages that are being published or removed. */
#define IPK_PUBLISHING ".publishing"

struct tree {
    char *prefix;   /* NULL without a prefix */
    char *etc;      /* DIR/etc            /etc/hostlet */
    char *var;      /* DIR/var            /var/lib/hostlet */
    char *run;      /* DIR/run            /run/hostlet */
    char *apps;     /* DIR/apps           /var/lib/hostlet/apps   (or app_path in hostlet.conf) */
    char *services; /* the installed service directories; ETC/svc/NAME overrides one */
    char *libexec;  /* programs that are not commands; an existing DIR/bin/NAME overrides one */
    char *data;     /* the programs' installed data files (ininit) */
};

/* Fills 'tree' from the arguments. NULL means the default: $HOSTLET_PREFIX, $HOSTLET_SERVICES,
 * $HOSTLET_LIBEXEC, $HOSTLET_DATA, else the paths configured at build time. Returns 0, or −EINVAL
 * (refused) for an empty text, and for a prefix that is relative, the root directory, or has "..". */
int tree_init(struct tree *tree, const char *prefix, const char *services, const char *libexec,
              struct error *e);
void tree_done(struct tree *tree);

/* Each returns a string that the caller frees. */
char *tree_config_file(const struct tree *tree);              /* ETC/hostlet.conf */
char *tree_config_dir(const struct tree *tree);               /* ETC/hostlet.conf.d */
char *tree_socket(const struct tree *tree, const char *name); /* RUN/NAME.sock */
/* VAR/hostlet/NAME: one directory for each process that stores state. */
char *tree_state(const struct tree *tree, const char *name);
char *tree_ipk(const struct tree *tree); /* VAR/ipk: the store, fetcher's */
/* VAR/ipk_install: the install store, provisioner's except IPK_STAGING */
char *tree_ipk_install(const struct tree *tree);
/* DIR/bin/NAME if it is executable, else LIBEXEC/NAME. */
char *tree_program(const struct tree *tree, const char *name);

/* Reads the tree's id (a UUID), which hostletd writes once into VAR/hostlet/tree.id. The caller frees it. */
int tree_read_id(const struct tree *tree, char **ret, struct error *e);
