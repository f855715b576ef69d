/* Tests the parts of quota-keeper that need no directories: ids, ledger, the texts of /etc/projects and
 * /etc/projid, levels, reasons; and the exchange of a file that other programs write, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "lib/mounts/mountinfo.h"
#include "lib/schema/object.h"
#include "quota-keeper/exchange.h"
#include "quota-keeper/ids.h"
#include "quota-keeper/ledger.h"
#include "quota-keeper/level.h"
#include "quota-keeper/place.h"
#include "quota-keeper/projects.h"

/* --- ids --- */

static void test_gaps_are_found_wherever_they_are(void **state)
{
    (void)state;
    struct id_set set = {.all_full = 0};
    assert_int_equal(id_set_first_gap(&set, 100, ID_MAX), 100);
    for (int64_t id = 100; id <= ID_MAX; id++)
        id_set_add(&set, id);
    assert_int_equal(id_set_first_gap(&set, 100, ID_MAX), -1);
    assert_int_equal(id_set_first_gap(&set, 0, ID_MAX), 0);
    static const int64_t gaps[] = {110000, 109999, 65536, 65535, 4096, 4095, 191, 128, 127, 100};
    for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) { /* each is the lowest gap at its turn */
        id_set_remove(&set, gaps[i]);
        assert_false(id_set_has(&set, gaps[i]));
        assert_int_equal(id_set_first_gap(&set, 100, ID_MAX), gaps[i]);
        assert_int_equal(id_set_first_gap(&set, gaps[i] + 1, ID_MAX), i == 0 ? -1 : gaps[i - 1]);
        assert_int_equal(id_set_first_gap(&set, 100, gaps[i] - 1), -1);
    }
    id_set_add(&set, ID_MAX + 1); /* ids out of range change nothing */
    id_set_add(&set, -1);
    assert_false(id_set_has(&set, ID_MAX + 1));
}

static void test_gaps_agree_with_a_search(void **state)
{
    (void)state;
    struct id_set set = {.all_full = 0};
    bool *taken = xcalloc(ID_MAX + 1, sizeof *taken);
    unsigned seed = 4;
    for (int i = 0; i < 30000; i++) {
        int64_t id = 100 + rand_r(&seed) % 9000;
        taken[id] = rand_r(&seed) % 3 != 0;
        (taken[id] ? id_set_add : id_set_remove)(&set, id);
        int64_t from = 100 + rand_r(&seed) % 9000, first = from;
        while (taken[first])
            first++;
        assert_int_equal(id_set_first_gap(&set, from, ID_MAX), first);
    }
    free(taken);
}

/* --- ledger --- */

static bool no_other(int64_t id, void *userdata)
{
    (void)id, (void)userdata;
    return false;
}

static bool even(int64_t id, void *userdata)
{
    (*(int *)userdata)++;
    return id % 2 == 0;
}

static void test_ids_are_given_out_lowest_first_and_again(void **state)
{
    (void)state;
    struct ledger l;
    struct error e = ERROR_INIT;
    int64_t id;
    int asked = 0;
    ledger_init(&l, 100, 10200);
    for (int i = 0; i < 10000; i++) {
        char name[32];
        snprintf(name, sizeof name, "i8k_app_%d", i);
        assert_int_equal(ledger_allocate(&l, no_other, NULL, &id, &e), 0);
        assert_int_equal(id, 100 + i);
        assert_non_null(ledger_add(&l, name, id));
    }
    assert_null(ledger_add(&l, "i8k_app_7", 20000)); /* the name is in use */
    assert_null(ledger_add(&l, "i8k_new_0", 107));   /* the id is in use */
    assert_string_equal(ledger_find_id(&l, 5100)->name, "i8k_app_5000");
    ledger_remove(&l, ledger_find(&l, "i8k_app_5000"));
    ledger_remove(&l, ledger_find(&l, "i8k_app_17"));
    assert_null(ledger_find(&l, "i8k_app_17"));
    assert_null(ledger_find_id(&l, 117));
    assert_int_equal(ledger_allocate(&l, no_other, NULL, &id, &e), 0);
    assert_int_equal(id, 117);
    assert_non_null(ledger_add(&l, "i8k_new_0", id));
    /* Ids of others are skipped, and 'is_foreign' is called once for each. */
    assert_int_equal(ledger_allocate(&l, even, &asked, &id, &e), 0);
    assert_int_equal(id, 10101);
    assert_int_equal(asked, 3); /* 5100, 10100, 10101 */
    assert_int_equal(ledger_allocate(&l, even, &asked, &id, &e), 0);
    assert_int_equal(asked, 4);
    ledger_done(&l);
}

static void test_a_full_range_is_searched_again_and_then_reported(void **state)
{
    (void)state;
    struct ledger l;
    struct error e = ERROR_INIT;
    int64_t id;
    int asked = 0;
    ledger_init(&l, 100, 102);
    ledger_add(&l, "i8k_aaa_0", 101);
    assert_int_equal(ledger_allocate(&l, even, &asked, &id, &e), -ENOSPC);
    assert_non_null(strstr(e.message, "between 100 and 102"));
    assert_int_equal(asked, 4);                                        /* 100 and 102, twice */
    assert_int_equal(ledger_allocate(&l, no_other, NULL, &id, &e), 0); /* the ids of others are free by now */
    assert_int_equal(id, 100);
    ledger_done(&l);
}

static int parse(struct ledger *l, const char *text, size_t *left_out, struct error *e)
{
    ledger_init(l, 100, 110000);
    return ledger_parse(l, text, strlen(text), "the ledger", left_out, e);
}

static void test_the_contracts_file_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"items\":[{\"id\":100,\"mnt\":\"/opt\",\"name\":\"i8k_web_0\",\"soft\":104857600,"
        "\"hard\":104857600,\"used\":4096},{\"id\":103,\"mnt\":\"/opt\",\"name\":\"i8k_data_1\"}],"
        "\"updated\":1795000000,\"id_offset\":104,\"mount_points\":[]}";
    struct ledger l;
    struct error e = ERROR_INIT;
    size_t left_out, n;
    assert_int_equal(parse(&l, text, &left_out, &e), 0);
    assert_int_equal(left_out, 0);
    const struct ledger_item *web = ledger_find(&l, "i8k_web_0");
    assert_int_equal(web->id, 100);
    assert_int_equal(web->hard, 104857600);
    assert_string_equal(web->mnt, "/opt");
    assert_string_equal(ledger_find_id(&l, 103)->name, "i8k_data_1");
    /* The packed text is a file of the contract again. */
    _cleanup_free_ char *ours = ledger_pack(&l);
    struct ledger again;
    ledger_done(&l);
    assert_int_equal(parse(&again, ours, &left_out, &e), 0);
    _cleanup_free_ struct ledger_item **items = ledger_items(&again, &n);
    assert_int_equal(n, 2);
    assert_string_equal(items[0]->name, "i8k_data_1");
    json_t *json = json_loads(ours, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "id_offset")), 101);
    assert_int_equal(json_array_size(json_object_get(json, "items")), 2);
    assert_true(json_is_array(json_object_get(json, "mount_points")));
    assert_true(json_integer_value(json_object_get(json, "updated")) > 1700000000);
    json_decref(json);
    ledger_done(&again);
}

static void test_a_damaged_ledger_differs_from_a_newer_one(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "", "{", "{\"items\":[{\"id\":1", "[]", "{\"items\":{}}", "{\"items\":[{\"id\":7}]}", "\xff\xff"};
    struct ledger l;
    struct error e = ERROR_INIT;
    size_t left_out;
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        assert_int_equal(parse(&l, broken[i], &left_out, &e), -EBADMSG);
        assert_int_equal(l.n, 0);
    }
    assert_int_equal(parse(&l, "{\"format\":2,\"items\":[]}", &left_out, &e), -ENOTSUP);
    assert_int_equal(e.class, ERROR_REFUSED);
    assert_int_equal(parse(&l, "{\"items\":null}", &left_out, &e), 0);
    ledger_done(&l);
}

static void test_invalid_items_are_skipped(void **state)
{
    (void)state;
    static const char text[] = "{\"items\":[{\"id\":100,\"name\":\"i8k_web_0\"},{\"id\":100,\"name\":\"i8k_"
                               "web_1\"},{\"id\":101,\"name\":\"i8k_web_0\"},"
                               "{\"id\":0,\"name\":\"i8k_aaa_0\"},{\"id\":102,\"name\":\"../../"
                               "etc\"},{\"id\":4294967296,\"name\":\"i8k_bbb_0\"},"
                               "{\"id\":103,\"name\":\"i8k_ccc_0\",\"hard\":-1}]}";
    struct ledger l;
    struct error e = ERROR_INIT;
    size_t left_out;
    assert_int_equal(parse(&l, text, &left_out, &e), 0);
    assert_int_equal(l.n, 1);
    assert_int_equal(left_out, 6);
    ledger_done(&l);
}

/* --- /etc/projects and /etc/projid --- */

static const struct projects_entry entries[] = {
    {"i8k_data_0", 101, true}, {"i8k_old_0", 102, false}, {"i8k_web_0", 100, true}};

static struct projects two(void)
{
    struct projects p = {.apps = "/srv/apps", .entries = entries, .n = ARRAY_SIZE(entries)};
    for (int64_t id = 100; id <= 103; id++)
        id_set_add(&p.ids, id);
    return p;
}

static void test_projects_gets_the_lines_of_this_tree(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        bool keep;
    } cases[] = {
        {"", "101:/srv/apps/i8k_data_0\n100:/srv/apps/i8k_web_0\n", false},
        /* lines of others stay as they are, also a last line without its newline */
        {"# ours: 1\n\n "
         "7:/x\n100:/elsewhere\r\nnonsense\n5:/srv/apps\n5:/srv/apps/other\n6:/srv/apps/i8k_web_0/opt",
         "# ours: 1\n\n "
         "7:/x\n100:/elsewhere\r\nnonsense\n5:/srv/apps\n5:/srv/apps/other\n6:/srv/apps/i8k_web_0/opt\n"
         "101:/srv/apps/i8k_data_0\n100:/srv/apps/i8k_web_0\n",
         false},
        /* this tree's lines keep their place; wrong, repeated and unneeded ones are removed */
        {"100:/srv/apps/i8k_web_0\n9:/x\n100:/srv/apps/i8k_web_0\n55:/srv/apps/i8k_data_0\n103:/srv/apps/"
         "i8k_gone_0\n",
         "100:/srv/apps/i8k_web_0\n9:/x\n101:/srv/apps/i8k_data_0\n", false},
        {"102:/srv/apps/i8k_old_0\n103:/srv/apps/i8k_gone_0\n101:/srv/apps/i8k_data_0\n",
         "102:/srv/apps/i8k_old_0\n103:/srv/apps/i8k_gone_0\n101:/srv/apps/i8k_data_0\n100:/srv/apps/"
         "i8k_web_0\n",
         true},
        /* a line of another tree */
        {"100:/srv/apps2/i8k_web_0\n",
         "100:/srv/apps2/i8k_web_0\n101:/srv/apps/i8k_data_0\n100:/srv/apps/i8k_web_0\n", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct projects p = two();
        size_t size, again;
        p.keep = cases[i].keep;
        _cleanup_free_ char *text = projects_merge(&p, cases[i].before, strlen(cases[i].before), &size);
        assert_string_equal(text, cases[i].after);
        assert_int_equal(size, strlen(cases[i].after));
        _cleanup_free_ char *same = projects_merge(&p, text, size, &again);
        assert_string_equal(same, text); /* a second merge changes nothing */
    }
}

static void test_bytes_of_others_survive(void **state)
{
    (void)state;
    static const char text[] = "1:/a\0b\n\xff\xfe:\n:::\n";
    struct projects p = {.apps = "/srv/apps"};
    size_t size;
    _cleanup_free_ char *merged = projects_merge(&p, text, sizeof text - 1, &size);
    assert_int_equal(size, sizeof text - 1);
    assert_memory_equal(merged, text, size);
    _cleanup_free_ char *names = projid_merge(&p, text, sizeof text - 1, &size);
    assert_int_equal(size, sizeof text - 1);
    assert_memory_equal(names, text, size);
}

static void test_projid_gets_the_names_of_this_tree(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"", "i8k_data_0:101\ni8k_old_0:102\ni8k_web_0:100\n"},
        {"mine:7\n# x\ni8k_gone_0:103\ni8k_web_0:102\n",
         "mine:7\n# x\ni8k_data_0:101\ni8k_old_0:102\ni8k_web_0:100\n"},
        /* another tree's container of the same name, and an administrator's name for an id of this tree */
        {"i8k_web_0:500\nspecial:101\n", "i8k_web_0:500\nspecial:101\ni8k_old_0:102\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct projects p = two();
        size_t size;
        _cleanup_free_ char *text = projid_merge(&p, cases[i].before, strlen(cases[i].before), &size);
        assert_string_equal(text, cases[i].after);
    }
}

static void test_ids_of_others_are_collected(void **state)
{
    (void)state;
    static const char projects[] = "7:/x\n100:/srv/apps/i8k_web_0\n101:/other/apps/i8k_web_0\n#9:/y\n";
    static const char projid[] = "name:8\ni8k_web_0:100\n";
    struct id_set others = {.all_full = 0}, ours = {.all_full = 0};
    projects_ids("/srv/apps", projects, strlen(projects), false, &others);
    projects_ids("/srv/apps", projects, strlen(projects), true, &ours);
    projid_foreign_ids(projid, strlen(projid), &others);
    static const bool expected[] = {[7] = true, [8] = true, [101] = true};
    for (int64_t id = 0; id <= 101; id++)
        assert_int_equal(id_set_has(&others, id), expected[id]);
    assert_true(id_set_has(&ours, 100) && !id_set_has(&ours, 101));
}

/* --- the exchange --- */

struct place_of_test {
    char path[64];
    int fd;
};

static void place_begin(struct place_of_test *p)
{

    snprintf(p->path, sizeof p->path, "/tmp/hostlet-test-quota-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p->fd >= 0);
}

static void place_end(struct place_of_test *p)
{
    close(p->fd);
    assert_int_equal(remove_tree_at(AT_FDCWD, p->path, NULL), 0);
}

static void put(int dir, const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void assert_contains(int dir, const char *name, const char *expected)
{
    _cleanup_free_ char *text = NULL;
    assert_int_equal(read_file_at(dir, name, 1 << 20, &text, NULL, NULL), 0);
    assert_string_equal(text, expected);
}

static size_t count_entries(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

/* Merges like projects_merge(), and makes another program write between the reading and the exchange. */
struct meddler {
    struct projects p;
    int dir;
    const char *edits[4]; /* one for each round; NULL: no edit */
    bool by_rename;
    int rounds;
};

static char *merge_meddled(const char *text, size_t size, void *userdata, size_t *ret_size)
{
    struct meddler *m = userdata;
    const char *edit = m->rounds < 4 ? m->edits[m->rounds] : NULL;
    m->rounds++;
    if (edit && m->by_rename) {
        put(m->dir, "new", edit);
        assert_int_equal(renameat(m->dir, "new", m->dir, "projects"), 0);
    } else if (edit) {
        put(m->dir, "projects", edit);
    }
    return projects_merge(&m->p, text, size, ret_size);
}

static struct meddler meddler(struct place_of_test *place)
{
    static const struct projects_entry web = {"i8k_web_0", 100, true};
    return (struct meddler){.p = {.apps = "/a", .entries = &web, .n = 1}, .dir = place->fd};
}

static void test_a_file_is_made_and_left_alone_when_right(void **state)
{
    (void)state;
    struct place_of_test place;
    struct error e = ERROR_INIT;
    struct stat before, after;
    place_begin(&place);
    struct meddler m = meddler(&place);
    assert_int_equal(exchange_file(place.fd, "projects", merge_meddled, &m, &e), 0);
    assert_contains(place.fd, "projects", "100:/a/i8k_web_0\n");
    fstatat(place.fd, "projects", &before, 0);
    assert_int_equal(before.st_mode & 07777, 0644);
    assert_int_equal(exchange_file(place.fd, "projects", merge_meddled, &m, &e), 0);
    fstatat(place.fd, "projects", &after, 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(count_entries(place.path), 1);
    place_end(&place);
}

static void test_an_edit_meanwhile_is_merged(void **state)
{
    (void)state;
    for (int by_rename = 0; by_rename < 2; by_rename++) {
        struct place_of_test place;
        struct error e = ERROR_INIT;
        struct stat st;
        place_begin(&place);
        put(place.fd, "projects", "1:/x\n");
        struct meddler m = meddler(&place);
        m.by_rename = by_rename;
        m.edits[0] = "1:/x\n2:/added\n";
        assert_int_equal(exchange_file(place.fd, "projects", merge_meddled, &m, &e), 0);
        assert_contains(place.fd, "projects", "1:/x\n2:/added\n100:/a/i8k_web_0\n");
        fstatat(place.fd, "projects", &st, 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(count_entries(place.path), 1);
        place_end(&place);
    }
}

static void test_two_edits_meanwhile_are_both_merged(void **state)
{
    (void)state;
    struct place_of_test place;
    struct error e = ERROR_INIT;
    place_begin(&place);
    put(place.fd, "projects", "1:/x\n");
    struct meddler m = meddler(&place);
    m.edits[0] = "1:/x\n2:/first\n";
    /* The second edit is made on the exchanged text, which lacked the first. */
    m.edits[1] = "1:/x\n100:/a/i8k_web_0\n3:/second\n";
    assert_int_equal(exchange_file(place.fd, "projects", merge_meddled, &m, &e), 0);
    assert_contains(place.fd, "projects", "1:/x\n100:/a/i8k_web_0\n3:/second\n2:/first\n");
    place_end(&place);
}

static uint64_t fnv(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return h;
}

static void test_an_exchange_that_was_killed_is_completed(void **state)
{
    (void)state;
    static const char was[] = "1:/x\n", ours[] = "1:/x\n100:/a/i8k_web_0\n";
    static const struct {
        const char *file, *staged, *after;
    } cases[] = {
        {was, ours, ours}, /* killed before the exchange */
        {ours, was, ours}, /* killed after it; no other program wrote */
        {ours, "1:/x\n2:/added\n", "1:/x\n2:/added\n100:/a/i8k_web_0\n"}, /* another program wrote before */
        {"1:/x\n100:/a/i8k_web_0\n4:/later\n",
         "1:/x\n2:/added\n", /* another program wrote before and afterwards */
         "1:/x\n100:/a/i8k_web_0\n4:/later\n2:/added\n"},
        {"4:/later\n", was, "4:/later\n100:/a/i8k_web_0\n"}, /* another program wrote afterwards only */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct place_of_test place;
        struct error e = ERROR_INIT;
        place_begin(&place);
        struct meddler m = meddler(&place);
        _cleanup_free_ char *name =
            xasprintf(".projects.hostlet-%016" PRIx64 "-%016" PRIx64, fnv(was), fnv(ours));
        put(place.fd, "projects", cases[i].file);
        put(place.fd, name, cases[i].staged);
        put(place.fd, ".projects.hostlet-writing", "1:/x\n10"); /* a damaged temporary file */
        assert_int_equal(exchange_file(place.fd, "projects", merge_meddled, &m, &e), 0);
        assert_contains(place.fd, "projects", cases[i].after);
        assert_int_equal(faccessat(place.fd, name, F_OK, 0), -1);
        assert_int_equal(faccessat(place.fd, ".projects.hostlet-writing", F_OK, 0), -1);
        place_end(&place);
    }
}

static void test_a_link_is_not_followed(void **state)
{
    (void)state;
    struct place_of_test place;
    struct error e = ERROR_INIT;
    place_begin(&place);
    put(place.fd, "target", "1:/x\n");
    assert_int_equal(symlinkat("target", place.fd, "projects"), 0);
    struct meddler m = meddler(&place);
    assert_int_equal(exchange_file(place.fd, "projects", merge_meddled, &m, &e), -ELOOP);
    assert_contains(place.fd, "target", "1:/x\n");
    place_end(&place);
}

/* --- levels, limits, mounts, reasons --- */

static void test_the_level_is_the_worse_of_bytes_and_inodes(void **state)
{
    (void)state;
    static const struct {
        struct kernel_quota q;
        enum quota_level level;
    } cases[] = {
        {{{0, 0, 0, 0}, 1 << 30, 5000}, QUOTA_BELOW},
        {{{1000, 1000, 0, 0}, 899, 0}, QUOTA_BELOW},
        {{{1000, 1000, 0, 0}, 900, 0}, QUOTA_THRESHOLD},
        {{{1000, 1000, 0, 0}, 1000, 0}, QUOTA_FULL},
        {{{1000, 1000, 0, 0}, 1001, 0}, QUOTA_OVER},
        {{{800, 1000, 0, 0}, 801, 0}, QUOTA_SOFT},
        {{{800, 0, 0, 0}, 720, 0}, QUOTA_THRESHOLD},
        {{{800, 0, 0, 0}, 900, 0}, QUOTA_SOFT},
        {{{1000, 1000, 0, 10}, 0, 9}, QUOTA_THRESHOLD},
        {{{1000, 1000, 0, 10}, 1001, 10}, QUOTA_OVER}, /* the worse of both */
        {{{0, INT64_MAX, 0, 0}, INT64_MAX / 2, 0}, QUOTA_BELOW},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (quota_level(&cases[i].q, 90) != cases[i].level)
            fail_msg("case %zu: %s", i,
                     schema_enum_name(&quota_level_enum, (int)quota_level(&cases[i].q, 90)));
}

static void test_limits_are_compared_as_filesystems_round_them(void **state)
{
    (void)state;
    struct kernel_limits set = {1000, 1000, 0, 7}, read = {4096, 4096, 0, 7};
    assert_true(kernel_limits_match(&set, &read));
    read.hard = 0; /* a lifted limit is not a rounded one */
    assert_false(kernel_limits_match(&set, &read));
    read.hard = 999;
    assert_false(kernel_limits_match(&set, &read));
    read.hard = 1 << 20;
    assert_false(kernel_limits_match(&set, &read));
    read = (struct kernel_limits){4096, 4096, 0, 8};
    assert_false(kernel_limits_match(&set, &read));
    set = read = (struct kernel_limits){0, 0, 0, 0};
    assert_true(kernel_limits_match(&set, &read));
}

static void test_the_mount_is_found_by_its_id(void **state)
{
    (void)state;
    static const char text[] = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                               "30 22 8:17 / /srv/a\\040b rw shared:2 master:1 - xfs /dev/sdb1 rw,prjquota\n"
                               "31 22 8:17 /apps/i8k_web_0/opt /bind rw - xfs /dev/sdb1 rw,prjquota\n"
                               "torn 22 8:17\n"
                               "32 30 8:33 / /srv/a\\040b/apps/i8k_web_1 rw - ext4 /dev/sdc rw,prjquota\n";
    struct mount m;
    assert_int_equal(mountinfo_find(text, 30, &m), 0);
    assert_string_equal(m.mount_point, "/srv/a b");
    assert_string_equal(m.type, "xfs");
    assert_string_equal(m.source, "/dev/sdb1");
    assert_int_equal(m.minor, 17);
    mount_clear(&m);
    assert_int_equal(mountinfo_find(text, 31, &m), 0); /* a bind mount of the same filesystem */
    assert_string_equal(m.root, "/apps/i8k_web_0/opt");
    mount_clear(&m);
    assert_int_equal(mountinfo_find(text, 32, &m), 0); /* a mount below another */
    assert_string_equal(m.mount_point, "/srv/a b/apps/i8k_web_1");
    mount_clear(&m);
    assert_int_equal(mountinfo_find(text, 99, &m), -ENOENT);
}

static void test_reasons_come_with_remedies(void **state)
{
    (void)state;
    static const struct {
        const char *type, *point;
        int state_result;
        struct kernel_state state;
        int tag_result;
        const char *reason, *remedy; /* parts of the texts; NULL: enforced */
    } cases[] = {
        {"xfs", "/srv", 0, {true, true}, 0, NULL, NULL},
        {"ext4", "/srv", 0, {true, true}, 0, NULL, NULL},
        {"xfs", "/srv", -ENOSYS, {false, false}, 0, "without project quotas", "'prjquota' to its options"},
        {"xfs", "/", 0, {false, false}, 0, "without project quotas", "rootflags=prjquota"},
        {"xfs", "/srv", 0, {true, false}, 0, "pqnoenforce", "in place of"},
        {"ext4",
         "/srv",
         -ENOSYS,
         {false, false},
         0,
         "lacks the features",
         "tune2fs -O project,quota -Q prjquota /dev/x"},
        {"ext4", "/srv", -ESRCH, {false, false}, -EOPNOTSUPP, "lacks the features", "unmount it"},
        {"ext4", "/", -ENOSYS, {false, false}, 0, "lacks the features", "rescue"},
        {"ext4", "/srv", 0, {true, false}, 0, "without 'prjquota'", "/etc/fstab"},
        {"xfs", "/srv", -EPERM, {false, false}, 0, "not permitted", "CAP_SYS_ADMIN"},
        {"btrfs", "/srv", -ENOSYS, {false, false}, -ENOTTY, "is btrfs", "put 'app_path' on XFS"},
        {"overlay", "/", 0, {true, true}, 0, "is overlay", "put 'app_path' on XFS"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct mount m = {
            .type = (char *)cases[i].type, .mount_point = (char *)cases[i].point, .source = (char *)"/dev/x"};
        _cleanup_free_ char *reason = NULL, *remedy = NULL;
        filesystem_explain(&kernel_linux, &m, cases[i].state_result, &cases[i].state, cases[i].tag_result,
                           &reason, &remedy);
        if (!reason != !cases[i].reason || !remedy != !cases[i].remedy)
            fail_msg("case %zu: %s", i, reason ?: "no reason");
        if (reason && (!strstr(reason, cases[i].reason) || !strstr(remedy, cases[i].remedy)))
            fail_msg("case %zu: %s; %s", i, reason, remedy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps_are_found_wherever_they_are),
        cmocka_unit_test(test_gaps_agree_with_a_search),
        cmocka_unit_test(test_ids_are_given_out_lowest_first_and_again),
        cmocka_unit_test(test_a_full_range_is_searched_again_and_then_reported),
        cmocka_unit_test(test_the_contracts_file_is_read),
        cmocka_unit_test(test_a_damaged_ledger_differs_from_a_newer_one),
        cmocka_unit_test(test_invalid_items_are_skipped),
        cmocka_unit_test(test_projects_gets_the_lines_of_this_tree),
        cmocka_unit_test(test_bytes_of_others_survive),
        cmocka_unit_test(test_projid_gets_the_names_of_this_tree),
        cmocka_unit_test(test_ids_of_others_are_collected),
        cmocka_unit_test(test_a_file_is_made_and_left_alone_when_right),
        cmocka_unit_test(test_an_edit_meanwhile_is_merged),
        cmocka_unit_test(test_two_edits_meanwhile_are_both_merged),
        cmocka_unit_test(test_an_exchange_that_was_killed_is_completed),
        cmocka_unit_test(test_a_link_is_not_followed),
        cmocka_unit_test(test_the_level_is_the_worse_of_bytes_and_inodes),
        cmocka_unit_test(test_limits_are_compared_as_filesystems_round_them),
        cmocka_unit_test(test_the_mount_is_found_by_its_id),
        cmocka_unit_test(test_reasons_come_with_remedies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
