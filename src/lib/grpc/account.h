/* Counts the bytes of memory that peers make a server hold: for each connection, its origin (an IPv4 address,
 * an IPv6 /64) and all connections of the same kind. It does no input or output.
 *
 * Unauthenticated peers, which have shown no valid token yet, have limits of their own, so that they can
 * never use up the memory of authenticated peers. */
#pragma once

#include "lib/peer/peer.h"

/* bytes */
struct grpc_shares {
    size_t connection, origin, all;
};

enum grpc_account_kind { GRPC_STRANGERS, GRPC_TRUSTED, _GRPC_ACCOUNT_KINDS };

struct grpc_accounts {
    struct grpc_shares max[_GRPC_ACCOUNT_KINDS];
    size_t held[_GRPC_ACCOUNT_KINDS];
    struct grpc_account *first;
};

/* The account of one connection. */
struct grpc_account {
    /* NULL: the bytes are counted without limits. */
    struct grpc_accounts *accounts;
    struct grpc_account *next, *previous;
    struct peer origin;
    enum grpc_account_kind kind;
    size_t held;
    bool leaving;
    void *owner;
};

void grpc_account_open(struct grpc_accounts *accounts, struct grpc_account *account, const struct peer *peer,
                       void *owner);
/* Closes an account, which may still hold bytes. An account that was never opened is ignored. */
void grpc_account_close(struct grpc_account *account);
/* Marks the connection as authenticated: it has shown a valid token. */
void grpc_account_trust(struct grpc_account *account);
/* Stops counting the bytes of a connection that is about to end. */
void grpc_account_leave(struct grpc_account *account);

/* Count bytes, without checking limits. */
void grpc_account_add(struct grpc_account *account, size_t bytes);
void grpc_account_sub(struct grpc_account *account, size_t bytes);

enum grpc_account_verdict {
    GRPC_ACCOUNT_FITS,
    GRPC_ACCOUNT_TOO_MUCH, /* too much for this connection or its origin */
    GRPC_ACCOUNT_FULL,     /* too much for all connections of its kind */
};
/* Compares what the account would hold with 'more' bytes with the limits. */
enum grpc_account_verdict grpc_account_judge(const struct grpc_account *account, size_t more);

/* Returns the connection to evict when all unauthenticated peers together hold too much, so that 'stranger'
 * can hold 'more' bytes: of the origin that holds most, the connection that holds most. Returns NULL if no
 * origin holds more than that of 'stranger' would. Authenticated connections are never evicted. */
struct grpc_account *grpc_account_heaviest(const struct grpc_account *stranger, size_t more);
