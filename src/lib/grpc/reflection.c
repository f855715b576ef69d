/* Implements reflection.h. The descriptors are searched as raw bytes of descriptor.proto. */
#include "lib/grpc/reflection.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/grpc/call_answer.h"
#include "lib/grpc/reflection.pb-c.h"

typedef Grpc__Reflection__V1alpha__ServerReflectionRequest request;
typedef Grpc__Reflection__V1alpha__ServerReflectionResponse response;
typedef Grpc__Reflection__V1alpha__ErrorResponse error_response;
typedef Grpc__Reflection__V1alpha__FileDescriptorResponse file_response;
typedef Grpc__Reflection__V1alpha__ListServiceResponse list_response;
typedef Grpc__Reflection__V1alpha__ServiceResponse service_response;

/* Field numbers of descriptor.proto. The fields of a message (2) and the methods of a service (2) have their
 * name as number 1, too. */
enum {
    SET_FILE = 1,
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_DEPENDENCY = 3,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    NAME = 1,
    SERVICE_METHOD = 2,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
};

#define REQUEST_MAX GRPC_MESSAGE_KIB(4) /* for the name of a file or symbol */

struct grpc_reflection {
    struct grpc_server *server;
    const uint8_t *descriptors;
    size_t size;
};

struct bytes {
    const uint8_t *data;
    size_t size;
};

static bool next(struct bytes in, uint32_t field, size_t *at, struct bytes *ret)
{
    return grpc_message_next(in.data, in.size, field, at, &ret->data, &ret->size);
}

static struct bytes first(struct bytes in, uint32_t field)
{
    struct bytes found = {NULL, 0};
    size_t at = 0;
    next(in, field, &at, &found);
    return found;
}

/* Returns the part of 'symbol' after this name and a dot, "" if it equals the name, or NULL if it is another
 * name. */
static const char *behind(const char *symbol, struct bytes name)
{
    if (strncmp(symbol, (const char *)name.data, name.size) != 0)
        return NULL;
    symbol += name.size;
    return *symbol == '.' && symbol[1] ? symbol + 1 : *symbol ? NULL : symbol;
}

static bool names_one(struct bytes in, uint32_t field, const char *symbol)
{
    struct bytes item;
    for (size_t at = 0; next(in, field, &at, &item);) {
        const char *rest = behind(symbol, first(item, NAME));
        if (rest && !*rest)
            return true;
    }
    return false;
}

/* The recursion is limited by the dots in the symbol and the nesting of the served descriptors. */
static bool message_has(struct bytes in, uint32_t field, const char *symbol)
{
    struct bytes message;
    for (size_t at = 0; next(in, field, &at, &message);) {
        const char *rest = behind(symbol, first(message, NAME));
        if (rest && (!*rest || names_one(message, MESSAGE_FIELD, rest) ||
                     names_one(message, MESSAGE_ENUM, rest) || message_has(message, MESSAGE_NESTED, rest)))
            return true;
    }
    return false;
}

static bool file_has(struct bytes file, const char *symbol)
{
    struct bytes package = first(file, FILE_PACKAGE), service;
    const char *rest = package.size ? behind(symbol, package) : symbol;
    if (!rest || !*rest)
        return false;
    for (size_t at = 0; next(file, FILE_SERVICE, &at, &service);) {
        const char *method = behind(rest, first(service, NAME));
        if (method && (!*method || names_one(service, SERVICE_METHOD, method)))
            return true;
    }
    return names_one(file, FILE_ENUM, rest) || message_has(file, FILE_MESSAGE, rest);
}

static bool file_named(struct bytes file, const char *name)
{
    struct bytes own = first(file, FILE_NAME);
    return own.size == strlen(name) && memcmp(own.data, name, own.size) == 0;
}

/* Returns the file for which 'is' returns true with 'what', or {NULL} if there is none. */
static struct bytes find_file(const struct grpc_reflection *f,
                              bool (*is)(struct bytes file, const char *what), const char *what)
{
    struct bytes all = {f->descriptors, f->size}, file;
    for (size_t at = 0; next(all, SET_FILE, &at, &file);)
        if (is(file, what))
            return file;
    return (struct bytes){NULL, 0};
}

#define FILES_MAX 16

/* Collects a file and the files that it imports, so that a client needs one request. */
static size_t gather(const struct grpc_reflection *f, struct bytes file, ProtobufCBinaryData files[FILES_MAX],
                     size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (files[i].data == file.data)
            return n;
    if (n == FILES_MAX)
        return n;
    files[n++] = (ProtobufCBinaryData){file.size, (uint8_t *)file.data};
    struct bytes name;
    for (size_t at = 0; next(file, FILE_DEPENDENCY, &at, &name);) {
        _cleanup_free_ char *text = xstrndup((const char *)name.data, name.size);
        struct bytes needed = find_file(f, file_named, text);
        if (needed.data)
            n = gather(f, needed, files, n);
    }
    return n;
}

static void send_answer(struct grpc_call *call, const request *asked, response *answer)
{
    answer->valid_host = asked->host;
    answer->original_request = (request *)asked;
    grpc_call_send(call, &answer->base);
}

static void send_error(struct grpc_call *call, const request *asked, int code, const char *text)
{
    error_response error = GRPC__REFLECTION__V1ALPHA__ERROR_RESPONSE__INIT;
    response answer = GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__INIT;
    error.error_code = code;
    error.error_message = (char *)text;
    answer.message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    answer.error_response = &error;
    send_answer(call, asked, &answer);
}

static void send_file(struct grpc_call *call, const request *asked, const struct grpc_reflection *f,
                      struct bytes file)
{
    ProtobufCBinaryData files[FILES_MAX];
    file_response list = GRPC__REFLECTION__V1ALPHA__FILE_DESCRIPTOR_RESPONSE__INIT;
    response answer = GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__INIT;
    if (!file.data) {
        send_error(call, asked, GRPC_NOT_FOUND, "not found");
        return;
    }
    list.n_file_descriptor_proto = gather(f, file, files, 0);
    list.file_descriptor_proto = files;
    answer.message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    answer.file_descriptor_response = &list;
    send_answer(call, asked, &answer);
}

static void send_services(struct grpc_call *call, const request *asked, const struct grpc_reflection *f)
{
    service_response items[16], *pointers[ARRAY_SIZE(items)];
    list_response list = GRPC__REFLECTION__V1ALPHA__LIST_SERVICE_RESPONSE__INIT;
    response answer = GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__INIT;
    const char *name;
    while (list.n_service < ARRAY_SIZE(items) &&
           (name = grpc_server_service_name(f->server, list.n_service))) {
        size_t i = list.n_service++;
        grpc__reflection__v1alpha__service_response__init(&items[i]);
        items[i].name = (char *)name;
        pointers[i] = &items[i];
    }
    list.service = pointers;
    answer.message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    answer.list_services_response = &list;
    send_answer(call, asked, &answer);
}

static int on_info(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    (void)e;
    const struct grpc_reflection *f = userdata;
    const request *asked = (const request *)in;
    if (!asked) {
        grpc_call_finish(call, GRPC_OK, NULL);
        return 0;
    }
    switch (asked->message_request_case) {
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        send_services(call, asked, f);
        break;
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        send_file(call, asked, f, find_file(f, file_named, asked->file_by_filename));
        break;
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        send_file(call, asked, f, find_file(f, file_has, asked->file_containing_symbol));
        break;
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        send_error(call, asked, GRPC_NOT_FOUND, "no extensions");
        break;
    default:
        send_error(call, asked, GRPC_INVALID_ARGUMENT, "the request is empty");
    }
    return 0;
}

static const struct grpc_method methods[] = {
    {"ServerReflectionInfo", GRPC_STREAMS_BOTH | REQUEST_MAX,
     &grpc__reflection__v1alpha__server_reflection_request__descriptor, on_info},
    {.name = NULL},
};
static const struct grpc_service v1alpha = {"grpc.reflection.v1alpha.ServerReflection", methods, NULL},
                                 v1 = {"grpc.reflection.v1.ServerReflection", methods, NULL};

struct grpc_reflection *grpc_reflection_new(struct grpc_server *server, const uint8_t *descriptors,
                                            size_t size)
{
    struct grpc_reflection *f = xcalloc(1, sizeof *f);
    *f = (struct grpc_reflection){server, descriptors, size};
    grpc_server_add(server, &v1alpha, f);
    grpc_server_add(server, &v1, f);
    return f;
}

void grpc_reflection_free(struct grpc_reflection *f)
{
    free(f);
}
