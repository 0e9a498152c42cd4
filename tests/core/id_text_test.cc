// tests/core/id_text_test.cc - numbers as ident text: fixed width, one text per number, legal first character.
#include "core/id_text.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>

#include "core/random.h"

namespace parley::core {
namespace {

std::string text64(std::uint64_t value) {
  std::string text(id64_chars, '\0');
  id_encode64(value, text.data());
  return text;
}
std::string text24(std::uint32_t value) {
  std::string text(id24_chars, '\0');
  id_encode24(value, text.data());
  return text;
}
std::string text128(const Id128& id) {
  std::string text(id128_chars, '\0');
  id_encode128(id, text.data());
  return text;
}

TEST(IdText, known_texts) {
  EXPECT_EQ(text24(0), "AAAA");
  EXPECT_EQ(text24(0xffffff), "....");
  EXPECT_EQ(text24((62U << 18) - 1), "9...");
  EXPECT_EQ(text64(0), "AAAAAAAAAAA");
  EXPECT_EQ(text64(~0ULL), "P..........");
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
    const std::string text = text64(id.low);
    EXPECT_EQ(id_decode64(text), id.low);
    EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(text[0])));
    const auto small = static_cast<std::uint32_t>(id.high & 0xffffff);
    EXPECT_EQ(id_decode24(text24(small)), small);
  }
}

TEST(IdText, other_texts_are_no_number) {
  for (const char* text : {"", "AAA", "AAAAA", "AAA-", "AA A", "AAA\n", "AAA=", "AAA/"}) {
    EXPECT_EQ(id_decode24(text), std::nullopt) << text;
  }
  EXPECT_EQ(id_decode24(std::string_view("A\0AA", 4)), std::nullopt);
  EXPECT_EQ(id_decode24("AAA\x80"), std::nullopt);
  EXPECT_EQ(id_decode64("QAAAAAAAAAA"), std::nullopt);  // a 65th bit
  EXPECT_EQ(id_decode64("PAAAAAAAAA"), std::nullopt);
  EXPECT_EQ(id_decode128("E" + std::string(21, 'A')), std::nullopt);  // a 129th bit
  EXPECT_EQ(id_decode128(std::string(23, 'A')), std::nullopt);
  EXPECT_EQ(id_decode128(std::string(21, 'A') + "_"), std::nullopt);
}

}  // namespace
}  // namespace parley::core
