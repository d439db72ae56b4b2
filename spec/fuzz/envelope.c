/*
** Opening envelopes under libFuzzer. The first byte says how the rest is taken: `b` as a body,
** which this program signs, so that what comes after the MAC is reached; else as the event itself.
*/
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/binding/envelope.h"
#include "host/json/json.h"

enum { NOW_MS = 1000000 };

static const struct envelope_key key = {.len = 32};

static void open_event(const char *event, size_t len) {
    struct envelope_claims claims;
    struct buf payload;
    buf_init(&payload, 1 << 24);
    enum envelope_result result = envelope_open(&key, event, len, NOW_MS, &claims, &payload);
    if ((result == ENVELOPE_NONE) == envelope_is(event, len))
        abort();
    if ((result == ENVELOPE_OK) != (payload.len > 0))
        abort();
    if (result == ENVELOPE_OK) {
        /* Sealed again, it opens to the same payload. */
        struct buf sealed, second;
        buf_init(&sealed, 1 << 26);
        buf_init(&second, 1 << 24);
        if (!envelope_seal(&key, &claims, payload.data, payload.len, &sealed) ||
            envelope_open(&key, sealed.data, sealed.len, NOW_MS, &claims, &second) != ENVELOPE_OK ||
            second.len != payload.len || memcmp(second.data, payload.data, payload.len) != 0)
            abort();
        buf_free(&sealed);
        buf_free(&second);
    }
    buf_free(&payload);
}

static void open_body(const char *body, size_t len) {
    char mac[ENVELOPE_MAC_SIZE];
    struct buf event;
    struct json_writer w;
    if (!envelope_mac(&key, "awsync/1 call", body, len, mac))
        abort();
    buf_init(&event, 1 << 24);
    json_writer_init(&w, &event);
    json_object_begin(&w);
    json_key(&w, "awsync");
    json_integer(&w, 1);
    json_member(&w, "mac", mac);
    json_key(&w, "body");
    if (json_string_n(&w, body, len)) {
        json_object_end(&w);
        open_event(event.data, event.len);
    }
    buf_free(&event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if (data[0] == 'b')
        open_body((const char *)data + 1, size - 1);
    else
        open_event((const char *)data + 1, size - 1);
    return 0;
}
