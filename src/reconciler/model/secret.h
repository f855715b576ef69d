/* The secrets by which the agents in containers show who they are. */
#pragma once

#include "reconciler/model/instance.h"

int secrets_prepare(struct manager *m, struct error *e);
/* 34 hex digits per container, which survive its destruction. The caller frees. */
char *replica_secret(
    const struct replica *replica); /* makes one where there is none; NULL: it cannot be kept now */
/* Whether it is the replica's; takes the same time for every wrong one, and where there is no such replica
 * (NULL). */
bool secret_fits(struct manager *m, const struct replica *replica, const char *secret);
/* Takes a secret that containers know already. One that is there is kept. */
int secret_import(struct manager *m, const char *instance, int64_t replica_id, const char *secret,
                  struct error *e);
void secret_forget(const struct replica *replica); /* its data was deleted */
