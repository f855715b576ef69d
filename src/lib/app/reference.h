/* Parses references to images (NAME, NAME:TAG, NAME@DIGEST or an id) by Docker's rules, so that "nginx" and
 * "docker.io/library/nginx:latest" are the same image. The checks of manifests and container-driver share it:
 * what the one accepts, the other can request from the runtime. */
#pragma once

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct image_reference {
    char *text;   /* as the caller wrote it */
    char *id;     /* "sha256:…" when the text is an id; the members below are then NULL */
    char *domain; /* docker.io, registry.example:5000 */
    char *path;   /* library/nginx */
    char *tag;    /* "latest" when the text has no tag; NULL when it has a digest */
    char *digest; /* sha256:…; NULL: none */
};

/* Parses 'text'; the caller frees *ret with image_reference_free(). Returns 0, or −EINVAL (refused) when the
 * text is not a reference; the message states what is wrong. */
int image_reference_parse(const char *text, struct image_reference **ret, struct error *e);
void image_reference_free(struct image_reference *r);

/* Return the complete name without tag and digest ("docker.io/library/nginx"), and with one of them; for an
 * id, the id. The caller frees. */
char *image_reference_repository(const struct image_reference *r);
char *image_reference_canonical(const struct image_reference *r);

DEFINE_CLEANUP(struct image_reference *, image_reference_free);
#define _cleanup_image_reference_ _cleanup_(cleanup_image_reference_free)
