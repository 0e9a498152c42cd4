// tests/core/id_text_test.cc - numbers as ident text: fixed width, one text per number, legal first character.
#include "core/id_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "core/random.h"

namespace parley::core {
namespace {

std::string letters64(std::uint64_t value) {
  std::string text(letters64_chars, '\0');
  letters_encode64(value, text.data());
  return text;
}
std::string letters32(std::uint32_t value) {
  std::string text(letters32_chars, '\0');
  letters_encode32(value, text.data());
  return text;
}
std::string text128(const Id128& id) {
  std::string text(id128_chars, '\0');
  id_encode128(id, text.data());
  return text;
}

TEST(IdText, known_texts) {
  EXPECT_EQ(letters32(0), "aaaaaaaa");
  EXPECT_EQ(letters32(0xffffffff), "pppppppp");
  EXPECT_EQ(letters32(0x01234567), "hgfedcba");
  EXPECT_EQ(letters64(0), std::string(16, 'a'));
  EXPECT_EQ(letters64(0xff), "paaaaaaapaaaaaaa");
  EXPECT_EQ(text128({0, 0}), std::string(22, 'A'));
  EXPECT_EQ(text128({~0ULL, ~0ULL}), "D" + std::string(21, '.'));
  EXPECT_EQ(text128({1, 0}),
            "AAAAAAAAAAAQAAAAAAAAAA");  // bit 64 is the fifth bit of the eleventh character from the right
}

TEST(IdText, R4975_9_every_number_survives_and_begins_with_a_letter_or_digit) {
  Random random(Seed{});
  for (int i = 0; i < 20000; ++i) {
    const Id128 id{random.next(), random.next()};
    const std::string long_text = text128(id);
    EXPECT_EQ(id_decode128(long_text), id);
    EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(long_text[0])));
    const auto small = static_cast<std::uint32_t>(id.high);
    const std::string letters = letters32(small);
    EXPECT_EQ(letters_decode32(letters.data()), small);
    EXPECT_TRUE(std::all_of(letters.begin(), letters.end(), [](char c) { return c >= 'a' && c <= 'p'; })) << letters;
    const std::string word = letters64(id.low);
    EXPECT_TRUE(std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'p'; })) << word;
  }
}

TEST(IdText, other_texts_are_no_number) {
  for (std::size_t at = 0; at < letters32_chars; ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string text = letters32(0x5a5a5a5a);
      text[at] = static_cast<char>(c);
      EXPECT_EQ(letters_decode32(text.data()).has_value(), c >= 'a' && c <= 'p') << at << ' ' << c;
    }
  }
  EXPECT_EQ(id_decode128("E" + std::string(21, 'A')), std::nullopt);  // a 129th bit
  EXPECT_EQ(id_decode128(std::string(23, 'A')), std::nullopt);
  EXPECT_EQ(id_decode128(std::string(21, 'A') + "_"), std::nullopt);
}

}  // namespace
}  // namespace parley::core
