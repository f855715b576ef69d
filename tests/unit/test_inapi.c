/* Tests the contract's messages: the bytes of a real leader against its JSON, and hostlet's structs
 * against both descriptions. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/grpc/message.h"
#include "lib/inapi/app.pb-c.h"
#include "lib/inapi/convert.h"
#include "lib/inapi/zone.pb-c.h"
#include "lib/schema/object.h"
#include "proto_json.h"

#define MEMORY ((size_t)16 << 20)

static const struct vector {
    const char *name;
    const ProtobufCMessageDescriptor *request, *response;
} vectors[] = {
    {"ping", &inapi__ping_request__descriptor, &inapi__ping_response__descriptor},
    {"host_init_empty", &inapi__host_init_request__descriptor, &inapi__host_init_response__descriptor},
    {"host_status_update", &inapi__host_status_update_request__descriptor,
     &inapi__host_status_update_response__descriptor},
    {"package_list_all", &inapi__package_list_request__descriptor, &inapi__package_list_response__descriptor},
    {"package_list_v1.0", &inapi__package_list_request__descriptor,
     &inapi__package_list_response__descriptor},
    {"package_list_v9", &inapi__package_list_request__descriptor, &inapi__package_list_response__descriptor},
    {"package_chunk_0", &inapi__package_chunk_request__descriptor,
     &inapi__package_chunk_response__descriptor},
};

static char *read_vector(const char *name, const char *suffix, size_t *ret_size)
{
    struct error e = ERROR_INIT;
    char *data = NULL;
    _cleanup_free_ char *path = xasprintf("%s/%s%s", VECTORS, name, suffix);
    if (read_file_at(AT_FDCWD, path, 1 << 20, &data, ret_size, &e) < 0)
        fail_msg("%s", e.message);
    return data;
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *d, const void *data, size_t size)
{
    struct error e = ERROR_INIT;
    ProtobufCMessage *m = NULL;
    if (grpc_message_unpack(d, data, size, MEMORY, &m, &e) < 0)
        fail_msg("%s", e.message);
    return m;
}

static void same_json(const char *what, json_t *got, json_t *wanted)
{
    if (json_equal(got, wanted))
        return;
    char *a = json_dumps(got, JSON_SORT_KEYS), *b = json_dumps(wanted, JSON_SORT_KEYS);
    fail_msg("%s:\n got    %s\n wanted %s", what, a, b);
}

/* Unpacks a message, compares it with the JSON beside it, packs and unpacks it, and compares again. */
static void one_message(const struct vector *v, const char *suffix, const char *member,
                        const ProtobufCMessageDescriptor *d, json_t *json)
{
    size_t size = 0, packed_size = 0;
    _cleanup_free_ char *bytes = read_vector(v->name, suffix, &size);
    json_t *wanted = json_object_get(json, member);
    _cleanup_message_ ProtobufCMessage *m = unpack(d, bytes, size);
    json_t *got = proto_json(m);
    same_json(v->name, got, wanted);
    json_decref(got);
    _cleanup_free_ uint8_t *packed = grpc_message_pack(m, 0, &packed_size);
    assert_int_equal(packed_size, size);
    _cleanup_message_ ProtobufCMessage *again = unpack(d, packed, packed_size);
    got = proto_json(again);
    same_json(v->name, got, wanted);
    json_decref(got);
}

static void test_vectors_are_read_and_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        size_t size = 0;
        _cleanup_free_ char *text = read_vector(vectors[i].name, ".json", &size);
        json_t *json = json_loadb(text, size, 0, NULL);
        assert_non_null(json);
        one_message(&vectors[i], ".req.bin", "request", vectors[i].request, json);
        one_message(&vectors[i], ".resp.bin", "response", vectors[i].response, json);
        json_decref(json);
    }
}

/* Reports whether hostlet adds this member to the contract's struct. It is never sent. */
static bool is_own(const struct schema_struct *s, const char *member)
{
    static const char *const own[][2] = {{"AppDeployServicePort", "protocol"},
                                         {"AppDeployServicePort", "host_address"},
                                         {"AppDeployServicePort", "host_port_last"},
                                         {"AppDeployStage", "begun"},
                                         {"AppSpecTask", "ready"},
                                         {"AppSpecTask", "ready_timeout"},
                                         {"AppSpecTask", "timeout"},
                                         {"AppSpecTask", "watchdog"}};
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (streq(own[i][0], s->name) && streq(own[i][1], member))
            return true;
    return false;
}

/* Checks that every member which both sides need exists, with a type that the conversion supports. */
static void agree(const struct schema_struct *s, const ProtobufCMessageDescriptor *d, unsigned depth)
{
    size_t n = 0;
    for (const struct schema_field *f = s->fields; f->name; f++) {
        if (is_own(s, f->name))
            continue;
        n++;
        const ProtobufCFieldDescriptor *p = protobuf_c_message_descriptor_get_field_by_name(d, f->name);
        if (!p)
            fail_msg("%s has no field %s", d->name, f->name);
        assert_int_equal(p->label == PROTOBUF_C_LABEL_REPEATED,
                         (f->flags & (SCHEMA_ARRAY | SCHEMA_MAP)) != 0);
        if (f->type == SCHEMA_STRUCT) {
            assert_int_equal(p->type, PROTOBUF_C_TYPE_MESSAGE);
            if (depth < 8)
                agree(f->structure, p->descriptor, depth + 1);
        } else if (f->type == SCHEMA_STRING && !(f->flags & SCHEMA_MAP))
            assert_int_equal(p->type, PROTOBUF_C_TYPE_STRING);
        else if (f->type == SCHEMA_BOOL)
            assert_int_equal(p->type, PROTOBUF_C_TYPE_BOOL);
        else if (f->type == SCHEMA_INT)
            assert_true(p->type == PROTOBUF_C_TYPE_INT64 || p->type == PROTOBUF_C_TYPE_UINT64 ||
                        p->type == PROTOBUF_C_TYPE_UINT32 || p->type == PROTOBUF_C_TYPE_INT32);
    }
    if (n != d->n_fields)
        fail_msg("%s has %u fields, our struct %zu", d->name, d->n_fields, n);
}

static void test_structs_agree(void **state)
{
    (void)state;
    agree(&app_instance_schema, &inapi__app_instance__descriptor, 0);
    agree(&app_replica_instance_schema, &inapi__app_replica_instance__descriptor, 0);
    agree(&app_stage_schema, &inapi__app_deploy_stage__descriptor, 0);
}

/* The leader's instance, converted to a struct and back, is the same message; hostlet's JSON of it equals
 * protobuf's except for numbers. */
static void test_an_instance_survives_a_round_trip(void **state)
{
    (void)state;
    size_t size = 0;
    struct error e = ERROR_INIT;
    _cleanup_free_ char *bytes = read_vector("host_status_update", ".resp.bin", &size);
    _cleanup_message_ ProtobufCMessage *m =
        unpack(&inapi__host_status_update_response__descriptor, bytes, size);
    Inapi__HostStatusUpdateResponse *response = (Inapi__HostStatusUpdateResponse *)m;
    ProtobufCMessage *instance = &response->app_instances[0]->base;
    struct app_instance app = {.meta = NULL};
    assert_int_equal(inapi_to_struct(&app_instance_schema, instance, &app, &e), 0);
    assert_string_equal(app.meta->name, "web1");
    assert_int_equal(app.deploy->volume_limit, INT64_C(2147483648));
    assert_string_equal(app.deploy->stages->stages[2]->attrs[0].value, "0");
    _cleanup_message_ ProtobufCMessage *back =
        inapi_from_struct(&app_instance_schema, &inapi__app_instance__descriptor, &app);
    json_t *a = proto_json(instance), *b = proto_json(back);
    same_json("instance", b, a);
    json_decref(a);
    json_decref(b);
    inapi_drop_echo(&app);
    assert_null(app.status);
    assert_null(app.deploy->stages);
    assert_non_null(app.spec);
    schema_done(&app_instance_schema, &app);
}

static void test_numbers_beyond_the_range_are_refused(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    Inapi__Metadata meta = INAPI__METADATA__INIT;
    Inapi__AppDeploy deploy = INAPI__APP_DEPLOY__INIT;
    Inapi__AppInstance instance = INAPI__APP_INSTANCE__INIT;
    meta.version = UINT64_MAX;
    instance.meta = &meta;
    instance.deploy = &deploy;
    struct app_instance app = {.meta = NULL};
    assert_int_equal(inapi_to_struct(&app_instance_schema, &instance.base, &app, &e), 0);
    assert_int_equal(app.meta->version, INT64_MAX);
    schema_done(&app_instance_schema, &app);
    deploy.revision = (uint64_t)INT64_MAX + 1;
    assert_int_equal(inapi_to_struct(&app_instance_schema, &instance.base, &app, &e), -ERANGE);
    assert_string_equal(e.message, "inapi.AppDeploy.revision: 9223372036854775808 is beyond 2^63-1");
    assert_null(app.meta);

    struct app_replica replica = {.id = -1};
    _cleanup_message_ ProtobufCMessage *m =
        inapi_from_struct(&app_replica_schema, &inapi__app_deploy_replica__descriptor, &replica);
    assert_int_equal(((Inapi__AppDeployReplica *)m)->id, 0);
}

/* Maps arrive as lists of entries: the last one with a key counts, and a value may be missing. */
static void test_the_last_entry_of_a_map_counts(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x4a, 6,   0x0a, 1, 'k', 0x12, 1, 'a',  0x4a, 6,  0x0a,
                                    1,    'k', 0x12, 1, 'b', 0x4a, 3, 0x0a, 1,    'x'};
    struct error e = ERROR_INIT;
    _cleanup_message_ ProtobufCMessage *m = unpack(&inapi__app_deploy_stage__descriptor, bytes, sizeof bytes);
    struct app_stage stage = {.name = NULL};
    assert_int_equal(inapi_to_struct(&app_stage_schema, m, &stage, &e), 0);
    assert_int_equal(stage.n_attrs, 2);
    assert_string_equal(schema_map_get(stage.attrs, stage.n_attrs, "k"), "b");
    assert_string_equal(schema_map_get(stage.attrs, stage.n_attrs, "x"), "");
    schema_done(&app_stage_schema, &stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_are_read_and_written),
        cmocka_unit_test(test_structs_agree),
        cmocka_unit_test(test_an_instance_survives_a_round_trip),
        cmocka_unit_test(test_numbers_beyond_the_range_are_refused),
        cmocka_unit_test(test_the_last_entry_of_a_map_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
