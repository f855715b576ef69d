/* Implements nft_library.h. */
#include "net-keeper/nft_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <nftables/libnftables.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"
#include "net-keeper/nft_table.h"

#define LIBRARY     "libnftables.so.1"
#define MESSAGE_MAX 300 /* bytes of the library's words in an error */

struct nft {
    void *library;
    struct nft_ctx *context;
    typeof(nft_ctx_new) *new;
    typeof(nft_ctx_free) *free;
    typeof(nft_ctx_output_set_flags) *set_flags;
    typeof(nft_ctx_buffer_output) *buffer_output;
    typeof(nft_ctx_buffer_error) *buffer_error;
    typeof(nft_ctx_get_output_buffer) *output;
    typeof(nft_ctx_get_error_buffer) *error;
    typeof(nft_run_cmd_from_buffer) *run;
};

static int load(struct nft *nft, struct error *e)
{
    const struct {
        const char *name;
        void *function; /* a pointer to a member */
    } functions[] = {
        {"nft_ctx_new", &nft->new},
        {"nft_ctx_free", &nft->free},
        {"nft_ctx_output_set_flags", &nft->set_flags},
        {"nft_ctx_buffer_output", &nft->buffer_output},
        {"nft_ctx_buffer_error", &nft->buffer_error},
        {"nft_ctx_get_output_buffer", &nft->output},
        {"nft_ctx_get_error_buffer", &nft->error},
        {"nft_run_cmd_from_buffer", &nft->run},
    };
    nft->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; nft->library && i < ARRAY_SIZE(functions); i++) {
        void *function = dlsym(nft->library, functions[i].name);
        if (!function)
            return error_set(e, ERROR_NOT_SUPPORTED, ENOSYS, LIBRARY " lacks the function %s",
                             functions[i].name);
        memcpy(functions[i].function, &function, sizeof function);
    }
    return nft->library
               ? 0
               : error_set(e, ERROR_NOT_SUPPORTED, ENOSYS,
                           LIBRARY " cannot be loaded (install libnftables1, or nftables): %s", dlerror());
}

int nft_open(struct nft **ret, struct error *e)
{
    struct nft *nft = xcalloc(1, sizeof *nft);
    int r = load(nft, e);
    if (r >= 0 && !(nft->context = nft->new (NFT_CTX_DEFAULT)))
        r = error_retry(e, ENOMEM, "libnftables has no memory");
    if (r >= 0 && (nft->buffer_output(nft->context) != 0 || nft->buffer_error(nft->context) != 0))
        r = error_retry(e, ENOMEM, "libnftables has no memory for its output");
    if (r < 0) {
        nft_close(nft);
        return r;
    }
    nft->set_flags(nft->context, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
    *ret = nft;
    return 0;
}

void nft_close(struct nft *nft)
{
    if (!nft)
        return;
    if (nft->context)
        nft->free(nft->context);
    if (nft->library)
        dlclose(nft->library);
    free(nft);
    malloc_trim(0);
}

/* Returns the last sentence of the library's output for errors, which can have several lines: one for each
 * part of the document that the kernel refused. */
static char *reason(const struct nft *nft)
{
    const char *text = nft->error(nft->context) ?: "", *found = strstr(text, "Error: ");
    _cleanup_free_ char *line = xstrndup(found ? found + strlen("Error: ") : text, MESSAGE_MAX);
    line[strcspn(line, "\n")] = '\0';
    return printable(*line ? line : "no reason given");
}

int nft_run(struct nft *nft, const char *document, struct error *e)
{
    if (nft->run(nft->context, document) == 0)
        return 0;
    _cleanup_free_ char *why = reason(nft);
    return error_retry(e, EIO, "%s", why);
}

int nft_list(struct nft *nft, const char *document, json_t **ret, struct error *e)
{
    json_error_t where;
    int r = nft_run(nft, document, e);
    if (r < 0)
        return r;
    _cleanup_json_ json_t *all = json_loads(nft->output(nft->context) ?: "", 0, &where);
    json_t *objects = json_object_get(all, "nftables");
    if (!json_is_array(objects))
        return error_fail(e, EPROTO, "libnftables' list makes no sense: %s", all ? "no array" : where.text);
    *ret = json_incref(objects);
    return 0;
}
