/* Maps libcurl's error codes to error classes, with messages that name the peer; see failure.h. */
#include "lib/http/failure.h"

#include <errno.h>

#include "lib/http/types.h"

static const struct {
    CURLcode code;
    enum error_class class;
    int errnum;
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERROR_RETRY, EHOSTUNREACH},
    {CURLE_COULDNT_RESOLVE_PROXY, ERROR_RETRY, EHOSTUNREACH},
    {CURLE_COULDNT_CONNECT, ERROR_RETRY, ECONNREFUSED},
    {CURLE_PROXY, ERROR_RETRY, ECONNREFUSED},
    {CURLE_OPERATION_TIMEDOUT, ERROR_RETRY, ETIMEDOUT},
    {CURLE_GOT_NOTHING, ERROR_RETRY, ECONNRESET},
    {CURLE_SEND_ERROR, ERROR_RETRY, ECONNRESET},
    {CURLE_RECV_ERROR, ERROR_RETRY, ECONNRESET},
    {CURLE_PARTIAL_FILE, ERROR_RETRY, ECONNRESET},
    {CURLE_SSL_CONNECT_ERROR, ERROR_RETRY, EPROTO},
    {CURLE_OUT_OF_MEMORY, ERROR_RETRY, ENOMEM},
    {CURLE_PEER_FAILED_VERIFICATION, ERROR_FAILED, EKEYREJECTED},
    {CURLE_SSL_CACERT_BADFILE, ERROR_FAILED, EKEYREJECTED},
    {CURLE_SSL_ISSUER_ERROR, ERROR_FAILED, EKEYREJECTED},
    {CURLE_TOO_MANY_REDIRECTS, ERROR_FAILED, ELOOP},
    {CURLE_UNSUPPORTED_PROTOCOL, ERROR_REFUSED, EPROTONOSUPPORT},
    {CURLE_URL_MALFORMAT, ERROR_REFUSED, EINVAL},
    {CURLE_RANGE_ERROR, ERROR_FAILED, ERANGE},
};

void http_failure(const struct http_request *q, CURLcode code, struct error *e)
{
    enum error_class class = ERROR_FAILED;
    int errnum = EPROTO;
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (meanings[i].code == code) {
            class = meanings[i].class;
            errnum = meanings[i].errnum;
        }
    const char *why = q->curl_error[0] ? q->curl_error : curl_easy_strerror(code);
    long os = 0;
    if (code == CURLE_COULDNT_CONNECT && curl_easy_getinfo(q->easy, CURLINFO_OS_ERRNO, &os) == CURLE_OK &&
        os > 0) {
        /* A caller must be able to distinguish ENOENT and EACCES of a Unix socket from ECONNREFUSED. */
        errnum = (int)os;
        why = strerrordesc_np(errnum) ?: why;
    }
    if (q->unix_socket && code == CURLE_COULDNT_CONNECT)
        error_set(e, class, errnum, "cannot connect to '%s': %s", q->unix_socket, why);
    else if (q->unix_socket)
        error_set(e, class, errnum, "%s %s over '%s': %s", q->method, q->url, q->unix_socket, why);
    else
        error_set(e, class, errnum, "%s %s: %s", q->method, q->url, why);
}
