/* Implements quota_world.h. */
#include "quota_world.h"
#include "lib/basic/remove_tree.h"
#include "lib/schema/object.h"

const struct enforce_options plain = {.recheck = false}, recheck = {.recheck = true};

/* --- the kernel in memory: every file that has a project counts 4096 bytes --- */

static struct world *world_of(const struct kernel *k)
{
    return k->userdata;
}

struct tagged *find_file(struct world *w, int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    for (size_t i = 0; i < w->n_files; i++)
        if (w->files[i].dev == st.st_dev && w->files[i].ino == st.st_ino)
            return &w->files[i];
    w->files = xrealloc(w->files, w->n_files + 1, sizeof *w->files);
    w->files[w->n_files] = (struct tagged){st.st_dev, st.st_ino, {0, false}};
    return &w->files[w->n_files++];
}

struct known *find_known(struct world *w, uint32_t project)
{
    for (size_t i = 0; i < w->n_known; i++)
        if (w->known[i].project == project)
            return &w->known[i];
    assert_true(w->n_known < ARRAY_SIZE(w->known));
    w->known[w->n_known] = (struct known){.project = project};
    return &w->known[w->n_known++];
}

void fill_quota(struct world *w, uint32_t project, struct kernel_quota *ret)
{
    struct known *known = find_known(w, project);
    *ret = (struct kernel_quota){.limits = known->limits, .used = known->foreign_use};
    ret->used_inodes = known->foreign_use / 4096;
    for (size_t i = 0; i < w->n_files; i++)
        if (w->files[i].tag.project == project) {
            ret->used += 4096;
            ret->used_inodes++;
        }
}

static int world_state(const struct kernel *k, int fd, struct kernel_state *ret)
{
    (void)fd;
    *ret = (struct kernel_state){!world_of(k)->off, !world_of(k)->off};
    return world_of(k)->off ? -ENOSYS : 0;
}

static int world_get(const struct kernel *k, int fd, uint32_t project, struct kernel_quota *ret)
{
    (void)fd;
    fill_quota(world_of(k), project, ret);
    return 0;
}

static int world_next(const struct kernel *k, int fd, uint32_t project, uint32_t *ret_project,
                      struct kernel_quota *ret)
{
    (void)fd;
    struct world *w = world_of(k);
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < w->n_known; i++)
        if (w->known[i].project >= project && w->known[i].project < best)
            best = w->known[i].project;
    if (best == UINT32_MAX)
        return -ENOENT;
    *ret_project = best;
    fill_quota(w, best, ret);
    return 0;
}

static int world_set(const struct kernel *k, int fd, uint32_t project, const struct kernel_limits *limits)
{
    (void)fd;
    struct world *w = world_of(k);
    w->sets++;
    if (!w->forgets_limits)
        find_known(w, project)->limits = *limits;
    return 0;
}

int world_read_tag(const struct kernel *k, int fd, struct kernel_tag *ret)
{
    *ret = find_file(world_of(k), fd)->tag;
    return 0;
}

int world_write_tag(const struct kernel *k, int fd, const struct kernel_tag *tag)
{
    struct world *w = world_of(k);
    struct kernel_quota quota;
    fill_quota(w, tag->project, &quota);
    if (w->strict && quota.limits.hard && quota.used + 4096 > quota.limits.hard)
        return -EDQUOT;
    find_file(w, fd)->tag = *tag;
    return 0;
}

/* --- a tree --- */

void registry_begin(struct tree_of_test *t, int64_t id_max)
{
    registry_init(&t->r, &t->world->kernel, 100, id_max);
    t->r.apps = t->apps;
    t->r.ledger_path = t->ledger;
    t->r.etc = t->etc;
    t->r.lock_path = t->lock;
    t->r.bytes_per_inode = t->starts_with_inodes ? 16384 : 0;
    t->r.inodes_min = 16384;
}

void tree_paths(struct tree_of_test *t, const char *base, const char *sub)
{
    snprintf(t->apps, sizeof t->apps, "%s/apps%s", base, sub);
    snprintf(t->ledger, sizeof t->ledger, "%s/ledger%s.json", base, sub);
    snprintf(t->etc, sizeof t->etc, "%s/etc", base);
    snprintf(t->lock, sizeof t->lock, "%s/lock", base);
    assert_int_equal(make_dirs(t->apps, 0755, NULL), 0);
    assert_int_equal(make_dirs(t->etc, 0755, NULL), 0);
}

struct world *world_new(void)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->kernel = (struct kernel){.state = world_state,
                                .get = world_get,
                                .next = world_next,
                                .set = world_set,
                                .read_tag = world_read_tag,
                                .write_tag = world_write_tag,
                                .userdata = w};
    return w;
}

int setup(void **state)
{
    struct tree_of_test *t = xcalloc(1, sizeof *t);
    umask(0022);
    snprintf(t->path, sizeof t->path, "/tmp/hostlet-test-quota-XXXXXX");
    assert_non_null(mkdtemp(t->path));
    tree_paths(t, t->path, "");
    t->world = world_new();
    registry_begin(t, 110000);
    *state = t;
    return 0;
}

int teardown(void **state)
{
    struct tree_of_test *t = *state;
    registry_done(&t->r);
    assert_int_equal(remove_tree_at(AT_FDCWD, t->path, NULL), 0);
    free(t->world->files);
    free(t->world);
    free(t);
    return 0;
}

char *path_in(const struct tree_of_test *t, const char *name)
{
    return xasprintf("%s/%s", t->apps, name);
}

void make_directory(const struct tree_of_test *t, const char *name)
{
    _cleanup_free_ char *path = path_in(t, name);
    assert_int_equal(make_dirs(path, 0755, NULL), 0);
}

void make_file(const struct tree_of_test *t, const char *name)
{
    _cleanup_free_ char *path = path_in(t, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    close(fd);
}

struct kernel_tag tag_of(const struct tree_of_test *t, const char *name)
{
    _cleanup_free_ char *path = path_in(t, name);
    struct kernel_tag tag;
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    world_read_tag(&t->world->kernel, fd, &tag);
    close(fd);
    return tag;
}

void assert_tag(const struct tree_of_test *t, const char *name, uint32_t project)
{
    struct kernel_tag tag = tag_of(t, name);
    if (tag.project != project)
        fail_msg("%s carries %u, not %u", name, tag.project, project);
}

struct op run_op(struct tree_of_test *t, enum op_kind kind, const char *container, int64_t hard)
{
    struct op op = {.kind = kind, .container = container, .limits = {hard, hard, 0, 0}}, *ops[] = {&op};
    struct notes notes = {.n = 0};
    registry_run(&t->r, ops, 1, &notes);
    notes_clear(&notes);
    return op;
}

/* Executes both halves of an Ensure and returns its result. The caller releases *ret. */
int ensure(struct tree_of_test *t, const char *container, int64_t hard, struct quota_values *ret,
           struct error *e)
{
    struct op op = run_op(t, OP_ENSURE, container, hard);
    int r = op.result;
    if (r < 0)
        *e = op.e;
    else
        r = enforce_item(&t->r, &op.item, &plain, ret, e);
    op_clear(&op);
    return r;
}

int64_t ensured(struct tree_of_test *t, const char *container, int64_t hard)
{
    struct quota_values values;
    struct error e = ERROR_INIT;
    if (ensure(t, container, hard, &values, &e) < 0)
        fail_msg("%s", e.message);
    int64_t project = values.project;
    schema_done(&quota_values_schema, &values);
    return project;
}

void start_again(struct tree_of_test *t, struct notes *notes)
{
    struct error e = ERROR_INIT;
    registry_done(&t->r);
    registry_begin(t, 110000);
    assert_int_equal(registry_load(&t->r, notes, &e), 0);
    recovery_run(&t->r, notes);
}

bool has_note(const struct notes *notes, const char *part)
{
    for (size_t i = 0; i < notes->n; i++)
        if (strstr(notes->items[i], part))
            return true;
    return false;
}

char *content(const char *dir, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    char *text = NULL;
    return read_file_at(AT_FDCWD, path, 1 << 20, &text, NULL, NULL) < 0 ? NULL : text;
}
