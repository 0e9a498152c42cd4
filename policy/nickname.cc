// policy/nickname.cc - see nickname.h.
#include "policy/nickname.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

#include <cstdint>
#include <optional>

namespace parley::policy {
namespace {

using Text = std::u32string;

constexpr char32_t space = 0x20;
constexpr char32_t zero_width_non_joiner = 0x200c;
constexpr char32_t zero_width_joiner = 0x200d;
constexpr std::uint8_t virama = 9;  // Canonical_Combining_Class

constexpr UChar32 as_icu(char32_t c) { return static_cast<UChar32>(c); }
constexpr bool within(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }
bool is_arabic_indic_digit(char32_t c) { return within(c, 0x0660, 0x0669); }
bool is_extended_arabic_indic_digit(char32_t c) { return within(c, 0x06f0, 0x06f9); }

UScriptCode script_of(char32_t c) {
  UErrorCode error = U_ZERO_ERROR;
  return uscript_getScript(as_icu(c), &error);
}

// --- what ICU does in UTF-16

std::u16string to_utf16(const Text& text) {
  std::u16string out;
  for (const char32_t c : text) {
    if (c < 0x10000) {
      out.push_back(static_cast<char16_t>(c));
    } else {
      out.push_back(static_cast<char16_t>(0xd7c0 + (c >> 10)));
      out.push_back(static_cast<char16_t>(0xdc00 + (c & 0x3ff)));
    }
  }
  return out;
}

Text to_utf32(const std::u16string& text) {
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char32_t c = text[i];
    if (within(c, 0xd800, 0xdbff) && i + 1 < text.size()) c = ((c - 0xd7c0) << 10) + (text[++i] - 0xdc00U);
    out.push_back(c);
  }
  return out;
}

std::optional<Text> from_utf8(std::string_view text) {
  std::u16string out(text.size(), u'\0');
  std::int32_t length = 0;
  UErrorCode error = U_ZERO_ERROR;
  u_strFromUTF8(out.data(), static_cast<std::int32_t>(out.size()), &length, text.data(),
                static_cast<std::int32_t>(text.size()), &error);
  if (U_FAILURE(error)) return std::nullopt;
  out.resize(static_cast<std::size_t>(length));
  return to_utf32(out);
}

void put_utf8(const Text& text, std::string& out) {
  const std::u16string wide = to_utf16(text);
  out.resize(wide.size() * 3);
  std::int32_t length = 0;
  UErrorCode error = U_ZERO_ERROR;
  u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &length, wide.data(),
              static_cast<std::int32_t>(wide.size()), &error);
  out.resize(U_FAILURE(error) ? 0 : static_cast<std::size_t>(length));
}

// Without `convert` succeeding nothing is left, which no nickname is.
template <class Convert>
Text converted(const Text& text, std::size_t growth, const Convert& convert) {
  const std::u16string in = to_utf16(text);
  std::u16string out(in.size() * growth + 16, u'\0');
  UErrorCode error = U_ZERO_ERROR;
  const std::int32_t length = convert(out.data(), static_cast<std::int32_t>(out.size()), in.data(),
                                      static_cast<std::int32_t>(in.size()), &error);
  if (U_FAILURE(error)) return {};
  out.resize(static_cast<std::size_t>(length));
  return to_utf32(out);
}

Text nfkc(const Text& text) {
  UErrorCode error = U_ZERO_ERROR;
  const UNormalizer2* const normalizer = unorm2_getNFKCInstance(&error);
  if (U_FAILURE(error)) return {};
  // 18: of U+FDFA, the longest decomposition there is.
  return converted(
      text, 18, [normalizer](char16_t* out, std::int32_t room, const char16_t* in, std::int32_t size, UErrorCode* e) {
        return unorm2_normalize(normalizer, in, size, out, room, e);
      });
}

Text lower(const Text& text) {
  return converted(text, 3, [](char16_t* out, std::int32_t room, const char16_t* in, std::int32_t size, UErrorCode* e) {
    return u_strToLower(out, room, in, size, "", e);
  });
}

// --- RFC 8264 section 8, for the FreeformClass

enum class Derived : std::uint8_t { valid, contextual, disallowed };

// RFC 5892 section 2.6 as far as it decides anything here: others of its list are valid by the rules below, too.
std::optional<Derived> exception(char32_t c) {
  switch (c) {
    case 0x00b7:
    case 0x0375:
    case 0x05f3:
    case 0x05f4:
    case 0x30fb: return Derived::contextual;
    case 0x0640:
    case 0x07fa:
    case 0x302e:
    case 0x302f:
    case 0x3031:
    case 0x3032:
    case 0x3033:
    case 0x3034:
    case 0x3035:
    case 0x303b: return Derived::disallowed;
    default: break;
  }
  if (is_arabic_indic_digit(c) || is_extended_arabic_indic_digit(c)) return Derived::contextual;
  return std::nullopt;
}

bool is_old_hangul_jamo(char32_t c) {
  const auto type = static_cast<UHangulSyllableType>(u_getIntPropertyValue(as_icu(c), UCHAR_HANGUL_SYLLABLE_TYPE));
  return type == U_HST_LEADING_JAMO || type == U_HST_VOWEL_JAMO || type == U_HST_TRAILING_JAMO;
}

constexpr std::uint32_t letters_digits =
    U_GC_LL_MASK | U_GC_LU_MASK | U_GC_LO_MASK | U_GC_ND_MASK | U_GC_LM_MASK | U_GC_MN_MASK | U_GC_MC_MASK;  // 9.1
constexpr std::uint32_t other_letters_digits = U_GC_LT_MASK | U_GC_NL_MASK | U_GC_NO_MASK | U_GC_ME_MASK;    // 9.18
constexpr std::uint32_t symbols = U_GC_SM_MASK | U_GC_SC_MASK | U_GC_SK_MASK | U_GC_SO_MASK;                 // 9.15
constexpr std::uint32_t punctuation =
    U_GC_PC_MASK | U_GC_PD_MASK | U_GC_PS_MASK | U_GC_PE_MASK | U_GC_PI_MASK | U_GC_PF_MASK | U_GC_PO_MASK;  // 9.16

Derived derived(char32_t c) {
  if (const std::optional<Derived> stands = exception(c)) return *stands;
  const UChar32 cp = as_icu(c);
  const auto category = static_cast<std::uint32_t>(U_GET_GC_MASK(cp));
  if ((category & U_GC_CN_MASK) != 0) return Derived::disallowed;  // unassigned, or a noncharacter
  if (within(c, 0x21, 0x7e)) return Derived::valid;
  if (c == zero_width_non_joiner || c == zero_width_joiner) return Derived::contextual;
  if (is_old_hangul_jamo(c)) return Derived::disallowed;
  if (u_hasBinaryProperty(cp, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)) return Derived::disallowed;
  if ((category & U_GC_CC_MASK) != 0) return Derived::disallowed;
  if (const Text one(1, c); nfkc(one) != one) return Derived::valid;  // HasCompat
  return (category & (letters_digits | other_letters_digits | U_GC_ZS_MASK | symbols | punctuation)) != 0
             ? Derived::valid
             : Derived::disallowed;
}

// --- RFC 5892 appendix A

UJoiningType joining_type(char32_t c) {
  return static_cast<UJoiningType>(u_getIntPropertyValue(as_icu(c), UCHAR_JOINING_TYPE));
}

bool joins_around(const Text& text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && joining_type(text[before - 1]) == U_JT_TRANSPARENT) --before;
  std::size_t after = at + 1;
  while (after < text.size() && joining_type(text[after]) == U_JT_TRANSPARENT) ++after;
  if (before == 0 || after == text.size()) return false;
  const UJoiningType left = joining_type(text[before - 1]);
  const UJoiningType right = joining_type(text[after]);
  return (left == U_JT_LEFT_JOINING || left == U_JT_DUAL_JOINING) &&
         (right == U_JT_RIGHT_JOINING || right == U_JT_DUAL_JOINING);
}

bool any_of(const Text& text, bool (*is)(char32_t)) {
  for (const char32_t c : text) {
    if (is(c)) return true;
  }
  return false;
}

bool context_allows(const Text& text, std::size_t at) {
  const char32_t c = text[at];
  const bool has_before = at > 0;
  const bool has_after = at + 1 < text.size();
  switch (c) {
    case zero_width_non_joiner:
    case zero_width_joiner:
      if (has_before && u_getCombiningClass(as_icu(text[at - 1])) == virama) return true;
      return c == zero_width_non_joiner && joins_around(text, at);
    case 0x00b7: return has_before && has_after && text[at - 1] == U'l' && text[at + 1] == U'l';
    case 0x0375: return has_after && script_of(text[at + 1]) == USCRIPT_GREEK;
    case 0x05f3:
    case 0x05f4: return has_before && script_of(text[at - 1]) == USCRIPT_HEBREW;
    case 0x30fb:
      return any_of(text, [](char32_t each) {
        const UScriptCode script = script_of(each);
        return script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA || script == USCRIPT_HAN;
      });
    default:
      return is_arabic_indic_digit(c) ? !any_of(text, is_extended_arabic_indic_digit)
                                      : !any_of(text, is_arabic_indic_digit);
  }
}

bool is_freeform(const Text& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Derived d = derived(text[i]);
    if (d == Derived::disallowed || (d == Derived::contextual && !context_allows(text, i))) return false;
  }
  return true;
}

// --- RFC 8266 section 2.1

Text map_spaces(const Text& text) {
  Text out;
  bool gap = false;  // spaces since the last character that is none
  for (const char32_t c : text) {
    if (u_charType(as_icu(c)) == U_SPACE_SEPARATOR) {
      gap = !out.empty();
      continue;
    }
    if (gap) out.push_back(space);
    gap = false;
    out.push_back(c);
  }
  return out;
}

bool apply_until_stable(std::string_view text, bool compare, std::string& out) {
  out.clear();
  if (text.empty() || text.size() > nickname_bytes_max) return false;
  const std::optional<Text> given = from_utf8(text);
  if (!given || !is_freeform(*given)) return false;
  Text now = *given;
  constexpr int rounds_max = 4;  // the first application and three more
  for (int round = 0; round < rounds_max; ++round) {
    const Text mapped = map_spaces(now);
    const Text next = nfkc(compare ? lower(mapped) : mapped);
    if (next == now) {
      // What the rules have made must be of the class, too: "the output conforms to the profile".
      if (now.empty() || !is_freeform(now)) return false;
      put_utf8(now, out);
      return true;
    }
    now = next;
  }
  return false;
}

}  // namespace

bool enforce_nickname(std::string_view text, std::string& out) { return apply_until_stable(text, false, out); }
bool nickname_key(std::string_view text, std::string& out) { return apply_until_stable(text, true, out); }

}  // namespace parley::policy
