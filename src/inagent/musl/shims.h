/* Declares what the shared sources use from glibc and musl lacks; included before every source of inagent. */
#pragma once

const char *strerrordesc_np(int errnum);
