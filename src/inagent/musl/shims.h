/* Declares what the shared sources take from glibc and musl does not have; included before every source of
 * inagent. */
#pragma once

const char *strerrordesc_np(int errnum);
