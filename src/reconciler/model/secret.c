/* Implements secret.h. */
#include "reconciler/model/secret.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

#define SECRET_BYTES    17
#define SECRET_LENGTH   (2 * SECRET_BYTES)
#define SECRET_FILE_MAX 256

static char *file_for(const struct manager *m, const char *instance, int64_t replica_id)
{
    _cleanup_free_ char *container = app_container_name(instance, replica_id);
    return xasprintf("%s/secrets/%s", m->state_dir, container);
}

static char *file_of(const struct replica *replica)
{
    return file_for(replica->instance->manager, replica->instance->record->name, replica->record->id);
}

int secrets_prepare(struct manager *m, struct error *e)
{
    _cleanup_free_ char *directory = xasprintf("%s/secrets", m->state_dir);
    return m->outside->make_directory(m->outside, directory, e);
}

/* Reads the secret. Returns 0 or −ENOENT. A file without a valid secret is logged and counts as missing. */
static int read_secret(const struct replica *replica, char ret[SECRET_LENGTH + 1])
{
    _cleanup_free_ char *path = file_of(replica), *text = NULL;
    struct error e = ERROR_INIT;
    struct outside *outside = replica->instance->manager->outside;
    int r = outside->read(outside, path, SECRET_FILE_MAX, &text, NULL, &e);
    if (r == -ENOENT)
        return r;
    if (r < 0 || strspn(text, "0123456789abcdef") < SECRET_LENGTH) {
        log_warning("'%s' contains no secret%s%s", path, r < 0 ? ": " : "", r < 0 ? e.message : "");
        return -ENOENT;
    }
    memcpy(ret, text, SECRET_LENGTH);
    ret[SECRET_LENGTH] = '\0';
    return 0;
}

char *replica_secret(const struct replica *replica)
{
    char secret[SECRET_LENGTH + 1];
    struct error e = ERROR_INIT;
    if (read_secret(replica, secret) >= 0)
        return xstrdup(secret);
    random_hex(secret, SECRET_BYTES);
    _cleanup_free_ char *path = file_of(replica), *line = xasprintf("%s\n", secret);
    struct outside *outside = replica->instance->manager->outside;
    if (outside->write(outside, path, SECRET_FILE_MAX, line, strlen(line), &e) < 0) {
        log_warning("%s: inagent of this replica cannot report", e.message);
        return NULL;
    }
    return xstrdup(secret);
}

/* Compares all characters, so that the time does not depend on the first difference. */
static bool same_secret(const char *a, const char *b)
{
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < SECRET_LENGTH; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

bool secret_fits(struct manager *m, const struct replica *replica, const char *secret)
{
    char given[SECRET_LENGTH + 1] = "", own[SECRET_LENGTH + 1];
    bool right_length = strlen(secret) == SECRET_LENGTH;
    if (right_length)
        memcpy(given, secret, SECRET_LENGTH);
    bool known = replica && read_secret(replica, own) >= 0;
    if (!known) {
        /* Read a file and compare with a random secret, so that an unknown replica takes the same time. */
        _cleanup_free_ char *path = xasprintf("%s/secrets/none", m->state_dir), *text = NULL;
        (void)m->outside->read(m->outside, path, SECRET_FILE_MAX, &text, NULL, NULL);
        random_hex(own, SECRET_BYTES);
    }
    return same_secret(given, own) & known & right_length;
}

void secret_forget(const struct replica *replica)
{
    _cleanup_free_ char *path = file_of(replica);
    struct outside *outside = replica->instance->manager->outside;
    outside->remove(outside, path);
}

int secret_import(struct manager *m, const char *instance, int64_t replica_id, const char *secret,
                  struct error *e)
{
    int r = app_check_instance_name(instance, "/name", e);
    if (r >= 0 && (replica_id < 0 || replica_id > APP_REPLICA_ID_MAX))
        r = error_refuse(e, ERANGE, "/replica_id: %lld is not from 0 to %d", (long long)replica_id,
                         APP_REPLICA_ID_MAX);
    if (r >= 0 && (strlen(secret) != SECRET_LENGTH || strspn(secret, "0123456789abcdef") != SECRET_LENGTH))
        r = error_refuse(e, EINVAL, "/secret: not %d hex digits", SECRET_LENGTH);
    if (r < 0)
        return r;
    _cleanup_free_ char *path = file_for(m, instance, replica_id), *line = xasprintf("%s\n", secret),
                        *text = NULL;
    if (m->outside->read(m->outside, path, SECRET_FILE_MAX, &text, NULL, NULL) != -ENOENT)
        return 0;
    return m->outside->write(m->outside, path, SECRET_FILE_MAX, line, strlen(line), e);
}
