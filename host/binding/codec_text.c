/* JSON text, appended byte by byte to the encoder's buffer. */
#include "host/binding/codec_internal.h"

#include <string.h>

#include "host/base/base64.h"

enum { FIRST_ROOM = 480 };

char *codec_room_slow(struct codec_encoder *E, size_t len) {
    if (len >= E->out.max - E->out.len) {
        codec_encoder_done(E);
        luaL_error(E->L, "%s: value is more than %d megabytes as text", E->operation,
                   (int)(E->out.max >> 20));
    }
    char *place = buf_reserve(&E->out, len < FIRST_ROOM ? FIRST_ROOM : len);
    if (!place)
        codec_encoder_fail(E);
    return place;
}

void codec_add(struct codec_encoder *E, const char *text, size_t len) {
    memcpy(codec_room(E, len), text, len);
    E->out.len += len;
}

void codec_add_integer(struct codec_encoder *E, lua_Integer value) {
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    codec_add(E, at, (size_t)(digits + sizeof(digits) - at));
}

void codec_add_double(struct codec_encoder *E, lua_Number value) {
    E->out.len += json_double_text(value, codec_room(E, JSON_NUMBER_SIZE));
}

/* --- strings ---------------------------------------------------------------------------------- */

enum {
    BLOCK = 256, /* characters of so many bytes are written before the room is checked again */
    FRAME = 16,  /* the quotes and begin */
};

bool codec_add_string(struct codec_encoder *E, const char *begin, const char *text, size_t len) {
    const char *at = text, *end = text + len;
    const size_t start = E->out.len;
    size_t block = len < BLOCK ? len : BLOCK;
    char *place = codec_room(E, JSON_ESCAPED_SIZE(block) + FRAME);
    char *to = place;
    *to++ = '"';
    if (*begin)
        *to++ = *begin;
    while ((to = json_escape_block(to, &at, at + block, end)) && at < end) {
        E->out.len += (size_t)(to - place);
        block = (size_t)(end - at) < BLOCK ? (size_t)(end - at) : BLOCK;
        place = to = codec_room(E, JSON_ESCAPED_SIZE(block) + FRAME);
    }
    if (!to) {
        E->out.len = start;
        return false;
    }
    *to++ = '"';
    E->out.len += (size_t)(to - place);
    return true;
}

void codec_add_base64(struct codec_encoder *E, const void *data, size_t len) {
    codec_addc(E, '"');
    codec_room(E, len / 3 * 4 + 8);
    if (!base64_encode(&E->out, data, len))
        codec_encoder_fail(E);
    codec_addc(E, '"');
}
