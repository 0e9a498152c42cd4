// tests/policy/check_lists_test.cc - the ordered lists of SEED4-6.1.1.1 and SEED4-6.1.2.1: every combination of what
// they ask about, against the clause spelled out.
#include <gtest/gtest.h>

#include <string>

#include "policy/originating.h"
#include "policy/terminating.h"

namespace parley::policy {
namespace {

constexpr ImKind kinds[] = {ImKind::session, ImKind::pager, ImKind::large_message, ImKind::file_transfer,
                            ImKind::other};

template <class Found>
std::string answer(const Found* check) {
  return check == nullptr ? "continue" : std::string(check->id) + " " + std::to_string(check->status);
}

TEST(CheckLists, SEED4_6_1_1_1_every_combination_of_the_originating_side) {
  for (const ImKind kind : kinds) {
    for (unsigned bits = 0; bits < 64; ++bits) {
      const auto bad = [bits](unsigned n) { return (bits & (1U << n)) != 0; };
      const OriginatingFacts facts{.kind = kind,
                                   .sender_allowed = !bad(0),
                                   .rate_allowed = !bad(1),
                                   .answer_overdue = bad(2),
                                   .client_allowed = !bad(3),
                                   .content_allowed = !bad(4),
                                   .description_allowed = !bad(5)};
      std::string expected = "continue";
      if (bad(0)) {
        expected = "SEED4-6.1.1.1-1 403";
      } else if (bad(1)) {
        expected = "OMA-POL-5 403";
      } else if (bad(2)) {
        expected = "SEED4-6.1.1.1-2 403";
      } else if (bad(3)) {
        expected = "SEED4-6.1.1.1-3 403";
      } else if (kind == ImKind::pager && bad(4)) {
        expected = "SEED4-6.1.1.1-4a 415";
      } else if (kind != ImKind::pager && bad(5)) {
        expected = "SEED4-6.1.1.1-4b 488";
      }
      ASSERT_EQ(answer(refusal(facts)), expected) << to_string(kind) << " " << bits;
    }
  }
}

TEST(CheckLists, SEED4_6_1_2_1_every_combination_of_the_terminating_side) {
  for (const ImKind kind : kinds) {
    for (unsigned bits = 0; bits < 512; ++bits) {
      const auto bad = [bits](unsigned n) { return (bits & (1U << n)) != 0; };
      const TerminatingFacts facts{.kind = kind,
                                   .deferred_delivery = bad(7),
                                   .session_barred = bad(0),
                                   .pager_large_barred = bad(1),
                                   .file_transfer_barred = bad(2),
                                   .access = bad(3) ? InviteHandling::reject : InviteHandling::accept,
                                   .content_allowed = !bad(4),
                                   .description_allowed = !bad(5),
                                   .expired = bad(6),
                                   .in_another = bad(8)};
      const bool pager = kind == ImKind::pager;
      bool barred = false;
      if (kind == ImKind::session) barred = bad(0);                  // DEC-16
      if (kind == ImKind::file_transfer) barred = bad(0) || bad(2);  // DEC-17
      if (pager || kind == ImKind::large_message) barred = bad(1);   // DEC-16
      std::string expected = "continue";
      if (barred && !bad(7)) {
        expected = "SEED4-6.1.2.1-1 403";
      } else if (bad(3) && !bad(7) && kind != ImKind::other) {  // DEC-2
        expected = pager ? "SEED4-6.1.2.1-2b 403" : "SEED4-6.1.2.1-2a 403";
      } else if (pager && bad(4)) {
        expected = "SEED4-6.1.2.1-3a 415";
      } else if (!pager && bad(5)) {
        expected = "SEED4-6.1.2.1-3b 488";
      } else if (pager && bad(6)) {
        expected = "SEED4-6.1.2.1-4 480";
      } else if (kind == ImKind::session && bad(8)) {  // behind what the clause has
        expected = "OMA-SES-11 486";
      }
      ASSERT_EQ(answer(refusal(facts)), expected) << to_string(kind) << " " << bits;
    }
  }
}

TEST(CheckLists, SEED4_6_1_2_1_5_only_messages_and_large_messages_are_deferred) {
  for (const ImKind kind : kinds) {
    EXPECT_EQ(when_unreachable(kind) == WhenUnreachable::defer, kind == ImKind::pager || kind == ImKind::large_message);
  }
  for (const int status : {408, 430, 480, 503})
    EXPECT_TRUE(means_unreachable(static_cast<std::uint16_t>(status))) << status;
  for (const int status : {200, 202, 403, 415, 486, 488, 600, 603})
    EXPECT_FALSE(means_unreachable(static_cast<std::uint16_t>(status))) << status;
}

}  // namespace
}  // namespace parley::policy
