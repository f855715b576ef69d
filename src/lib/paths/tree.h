/* Where one tree of hostlet lies on this machine. With a prefix everything is below it, as the InnerStack
 * contract says; without, in the places of the system. */
#pragma once

#include "lib/basic/error.h"

/* In VAR/ipk_install, beside the packages: */
#define IPK_STAGING    ".staging"    /* the unpacker's: {id} is a package that waits to be published */
#define IPK_UNFINISHED ".staging-"   /* in {name}: what the unpacker of an earlier version began; a prefix */
#define IPK_PUBLISHING ".publishing" /* root's alone: packages on their way in or out */

struct tree {
    char *prefix;   /* NULL without one */
    char *etc;      /* DIR/etc            /etc/hostlet */
    char *var;      /* DIR/var            /var/lib/hostlet */
    char *run;      /* DIR/run            /run/hostlet */
    char *apps;     /* DIR/apps           /var/lib/hostlet/apps   (or app_path of the configuration) */
    char *services; /* the service directories that came with the programs; ETC/svc/NAME overrides one */
    char *libexec;  /* programs that are no command: DIR/bin/NAME wins over it when it exists */
    char *data;     /* files that came with the programs (ininit) */
};

/* Fills 'tree' from the arguments, NULL meaning the default: $HOSTLET_PREFIX, $HOSTLET_SERVICES,
 * $HOSTLET_LIBEXEC, $HOSTLET_DATA, then what was configured at build time. A relative prefix, or one with
 * "..", is refused. */
int tree_init(struct tree *tree, const char *prefix, const char *services, const char *libexec,
              struct error *e);
void tree_done(struct tree *tree);

/* Each allocates. */
char *tree_config_file(const struct tree *tree);              /* ETC/hostlet.conf */
char *tree_config_dir(const struct tree *tree);               /* ETC/hostlet.conf.d */
char *tree_socket(const struct tree *tree, const char *name); /* RUN/NAME.sock */
char *tree_state(const struct tree *tree,
                 const char *name);      /* VAR/hostlet/NAME: one folder per process that keeps state */
char *tree_ipk(const struct tree *tree); /* VAR/ipk: fetcher's */
char *tree_ipk_install(const struct tree *tree); /* VAR/ipk_install: provisioner's, but for IPK_STAGING */
char *tree_program(const struct tree *tree,
                   const char *name); /* DIR/bin/NAME if executable, else LIBEXEC/NAME */

/* The tree's own id (a UUID), written once by hostletd into VAR/hostlet/tree.id; the caller frees. */
int tree_read_id(const struct tree *tree, char **ret, struct error *e);
