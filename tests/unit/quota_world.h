/* Simulates a kernel in memory and a tree of replicas' directories for the tests of quota-keeper. Every
 * file that has a project counts 4096 bytes. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "quota-keeper/enforce.h"
#include "quota-keeper/recovery.h"
#include "quota-keeper/registry_run.h"
#include "quota-keeper/report.h"
#include "quota-keeper/tag.h"

#define MIB ((int64_t)1 << 20)

struct tagged {
    dev_t dev;
    ino_t ino;
    struct kernel_tag tag;
};
struct known {
    uint32_t project;
    struct kernel_limits limits;
    int64_t foreign_use; /* bytes of files that do not exist on the disk */
};
struct world {
    struct kernel kernel;
    struct tagged *files;
    size_t n_files;
    struct known known[1024];
    size_t n_known;
    bool off;            /* the filesystem has no quotas */
    bool strict;         /* a project cannot grow above its limit, as on ext4 without CAP_SYS_RESOURCE */
    bool forgets_limits; /* setting limits succeeds and has no effect */
    unsigned sets;
};

struct tree_of_test {
    char path[64], apps[96], ledger[96], etc[96], lock[96];
    struct world *world;
    struct registry r;
    bool starts_with_inodes; /* the next starts derive limits of inodes */
};

extern const struct enforce_options plain, recheck;

struct tagged *find_file(struct world *w, int fd);
struct known *find_known(struct world *w, uint32_t project);
void fill_quota(struct world *w, uint32_t project, struct kernel_quota *ret);
int world_read_tag(const struct kernel *k, int fd, struct kernel_tag *ret);
int world_write_tag(const struct kernel *k, int fd, const struct kernel_tag *tag);
void registry_begin(struct tree_of_test *t, int64_t id_max);
void tree_paths(struct tree_of_test *t, const char *base, const char *sub);
struct world *world_new(void);
int setup(void **state);
int teardown(void **state);
char *path_in(const struct tree_of_test *t, const char *name);
void make_directory(const struct tree_of_test *t, const char *name);
void make_file(const struct tree_of_test *t, const char *name);
struct kernel_tag tag_of(const struct tree_of_test *t, const char *name);
void assert_tag(const struct tree_of_test *t, const char *name, uint32_t project);
struct op run_op(struct tree_of_test *t, enum op_kind kind, const char *container, int64_t hard);
int ensure(struct tree_of_test *t, const char *container, int64_t hard, struct quota_values *ret,
           struct error *e);
int64_t ensured(struct tree_of_test *t, const char *container, int64_t hard);
void start_again(struct tree_of_test *t, struct notes *notes);
bool has_note(const struct notes *notes, const char *part);
char *content(const char *dir, const char *name);
