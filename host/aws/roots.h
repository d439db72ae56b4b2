/*
** Certificates that are built into the program. Only the static `bootstrap` has them (packaging/roots.c): elsewhere roots_use is NULL
** and libcurl's own default holds, the system's store. A user's AWS_CA_BUNDLE comes before both.
*/
#ifndef AWSYNC_AWS_ROOTS_H
#define AWSYNC_AWS_ROOTS_H

#include <curl/curl.h>

/* Lets easy trust the built-in certificates and no others. Any thread. */
CURLcode roots_use(CURL *easy) __attribute__((weak));

#endif
