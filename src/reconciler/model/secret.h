/* Keeps the secrets by which inagent proves which replica it runs in.
 *
 * A replica's secret is made once and kept when its container is destroyed, so that a new container has the
 * same one: VAR/hostlet/reconciler/secrets/CONTAINER. It is deleted with the data. */
#pragma once

#include "reconciler/model/instance.h"

/* Makes the directory of the secrets. */
int secrets_prepare(struct manager *m, struct error *e);
/* Returns the replica's secret, 34 hex digits, and makes one if none exists. The caller frees it. Returns
 * NULL if a new secret cannot be saved, and logs why. */
char *replica_secret(const struct replica *replica);
/* Reports whether 'secret' is the replica's. The time that the function takes tells a caller neither how much
 * of a secret is right nor whether the replica exists (NULL: it does not). */
bool secret_fits(struct manager *m, const struct replica *replica, const char *secret);
/* Stores a secret that a container has from the original agent. An existing secret is kept. Returns −ERANGE
 * or −EINVAL (refused) if an argument is not valid. */
int secret_import(struct manager *m, const char *instance, int64_t replica_id, const char *secret,
                  struct error *e);
/* Removes the secret of a replica whose data was deleted. */
void secret_forget(const struct replica *replica);
