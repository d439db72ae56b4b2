/* Amazon's root certificates inside of the program. They are parsed once, at the first TLS connection; after that all connections
** share them, so that a new one costs no parsing. */
#include "host/aws/roots.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>

/* roots_pem: the certificates, each in PEM. Made by packaging/roots. */
#include "roots_pem.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static X509_STORE *store; /* NULL: out of memory, or what was built in is no certificate */

static bool add_root(X509_STORE *filled, const char *pem) {
    BIO *text = BIO_new_mem_buf(pem, -1);
    X509 *root = text != NULL ? PEM_read_bio_X509(text, NULL, NULL, NULL) : NULL;
    bool ok = root != NULL && X509_STORE_add_cert(filled, root) == 1;
    X509_free(root);
    BIO_free(text);
    return ok;
}

static void fill_store(void) {
    X509_STORE *filled = X509_STORE_new();
    bool ok = filled != NULL;
    for (size_t i = 0; ok && i < sizeof roots_pem / sizeof roots_pem[0]; i++)
        ok = add_root(filled, roots_pem[i]);
    if (ok)
        store = filled;
    else
        X509_STORE_free(filled);
}

static CURLcode use_store(CURL *easy, void *ssl_context, void *context) {
    (void)easy, (void)context;
    pthread_once(&once, fill_store);
    if (store == NULL)
        return CURLE_SSL_CACERT_BADFILE;
    SSL_CTX_set1_cert_store(ssl_context, store);
    return CURLE_OK;
}

CURLcode roots_use(CURL *easy) {
    return curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, use_store);
}
