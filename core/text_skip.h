// core/text_skip.h - passes over runs of like bytes in a head, 16 at a time (RFC 4975 section 9: utf8text, unreserved).
//
// The functions may stop early, at bytes that belong to the run but are rare; the caller's grammar looks at the byte
// they stop at and goes on. SSE2 is part of x86-64. Runs are 5 to 60 bytes long: wider vectors would win nothing.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace parley::core {

// Passes over 0x20 to 0x7e and the bytes of UTF-8 sequences; stops at control characters (HTAB too) and DEL.
inline const unsigned char* skip_text(const unsigned char* p, const unsigned char* end) {
#if defined(__SSE2__)
  const __m128i control_max = _mm_set1_epi8(0x1f);
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - p >= 16; p += 16) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(text, control_max), text);
    const int mask = _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(text, del)));
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  while (p != end && *p > 0x1f && *p != 0x7f) ++p;
  return p;
}

#if defined(__SSE2__)
inline __m128i bytes_in(__m128i bytes, char first, char last) {
  return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(first - 1))),
                       _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(last + 1))));
}
inline __m128i letters_in(__m128i bytes) { return bytes_in(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z'); }
#endif

// Passes over letters, digits, '-', '.' and '_': all of `unreserved` but '~'.
inline const unsigned char* skip_unreserved(const unsigned char* p, const unsigned char* end) {
#if defined(__SSE2__)
  for (; end - p >= 16; p += 16) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // '-' '.' '/' and the digits stand in a row.
    const __m128i digit = _mm_andnot_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('/')), bytes_in(text, '-', '9'));
    const __m128i unreserved =
        _mm_or_si128(_mm_or_si128(letters_in(text), digit), _mm_cmpeq_epi8(text, _mm_set1_epi8('_')));
    const int mask = _mm_movemask_epi8(unreserved) ^ 0xffff;
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  const auto unreserved = [](unsigned char c) {
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '-' && c <= '9' && c != '/') || c == '_';
  };
  while (p != end && unreserved(*p)) ++p;
  return p;
}

// Passes over letters, digits, '+', '-' and '.': all of `ident-char` but '%' and '='.
inline const unsigned char* skip_ident(const unsigned char* p, const unsigned char* end) {
#if defined(__SSE2__)
  for (; end - p >= 16; p += 16) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // '+' ',' '-' '.' '/' and the digits stand in a row.
    const __m128i not_these =
        _mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8(',')), _mm_cmpeq_epi8(text, _mm_set1_epi8('/')));
    const __m128i ident = _mm_or_si128(letters_in(text), _mm_andnot_si128(not_these, bytes_in(text, '+', '9')));
    const int mask = _mm_movemask_epi8(ident) ^ 0xffff;
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  const auto ident = [](unsigned char c) {
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '+' && c <= '9' && c != ',' && c != '/');
  };
  while (p != end && ident(*p)) ++p;
  return p;
}

}  // namespace parley::core
