// The roster that conference-info documents make (RFC 4575 section 4.6).
#include "tools/parley/roster.h"

#include <gtest/gtest.h>

namespace parley::tests {
namespace {

using client::Roster;

std::string user(const std::string& entity, const std::string& status, const std::string& state = "full") {
  return "<user entity=\"" + entity + "\" state=\"" + state + "\"><endpoint entity=\"e\"><status>" + status +
         "</status></endpoint></user>";
}
std::string document(int version, const std::string& state, const std::string& users,
                     const std::string& users_state = "") {
  return "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"sip:c@x\" version=\"" +
         std::to_string(version) + "\" state=\"" + state + "\"><users state=\"" +
         (users_state.empty() ? state : users_state) + "\">" + users + "</users></conference-info>";
}
std::string shown(const Roster& roster) {
  std::string out;
  for (const Roster::User& one : roster.users()) out += one.entity + "=" + one.status + " ";
  return out;
}

TEST(Roster, R4575_1_OMA_CONF_2_full_then_partial) {
  Roster roster;
  EXPECT_EQ(roster.take(document(1, "full", user("a", "connected") + user("b", "pending"))), Roster::Taken::applied);
  EXPECT_EQ(shown(roster), "a=connected b=pending ");
  EXPECT_EQ(roster.take(document(2, "partial", user("b", "connected") + user("c", "connected"))),
            Roster::Taken::applied);
  EXPECT_EQ(shown(roster), "a=connected b=connected c=connected ");
}

TEST(Roster, OMA_CONF_3_deleted_users_go) {
  Roster roster;
  (void)roster.take(document(1, "full", user("a", "connected") + user("b", "connected")));
  EXPECT_EQ(roster.take(document(2, "partial", "<user entity=\"a\" state=\"deleted\"/>")), Roster::Taken::applied);
  EXPECT_EQ(shown(roster), "b=connected ");
}

TEST(Roster, R4575_1_a_gap_asks_for_all) {
  Roster roster;
  EXPECT_EQ(roster.take(document(5, "partial", user("a", "connected"))), Roster::Taken::gap);
  (void)roster.take(document(5, "full", user("a", "connected")));
  EXPECT_EQ(roster.take(document(7, "partial", user("b", "connected"))), Roster::Taken::gap);
  EXPECT_EQ(shown(roster), "a=connected ");
}

TEST(Roster, R4575_1_what_is_old_changes_nothing) {
  Roster roster;
  (void)roster.take(document(5, "full", user("a", "connected")));
  EXPECT_EQ(roster.take(document(5, "partial", user("b", "connected"))), Roster::Taken::old);
  EXPECT_EQ(roster.take(document(4, "full", user("b", "connected"))), Roster::Taken::old);
  EXPECT_EQ(shown(roster), "a=connected ");
}

TEST(Roster, R4575_1_the_end) {
  Roster roster;
  EXPECT_EQ(roster.take(document(1, "deleted", "")), Roster::Taken::deleted);
}

TEST(Roster, OMA_CONF_6_an_alias_is_a_name) {
  Roster roster;
  (void)roster.take(document(
      1, "full", "<user entity=\"sip:anonymous1@anonymous.invalid\"><display-text>Foxy</display-text></user>"));
  ASSERT_EQ(roster.users().size(), 1U);
  EXPECT_EQ(roster.users()[0].name, "Foxy");
}

TEST(Roster, what_is_no_document_changes_nothing) {
  Roster roster;
  (void)roster.take(document(1, "full", user("a", "connected")));
  for (const char* text : {"", "<", "<x/>", "<!DOCTYPE a><conference-info/>", "<conference-info version=\"-1\"/>"}) {
    EXPECT_NE(roster.take(text), Roster::Taken::applied) << text;
  }
  EXPECT_EQ(shown(roster), "a=connected ");
}

TEST(Roster, users_beyond_the_limit_are_left_out) {
  std::string users;
  for (std::size_t i = 0; i < client::roster_users_max + 10; ++i)
    users += "<user entity=\"u" + std::to_string(i) + "\"/>";
  Roster roster;
  EXPECT_EQ(roster.take(document(1, "full", users)), Roster::Taken::applied);
  EXPECT_EQ(roster.users().size(), client::roster_users_max);
}

}  // namespace
}  // namespace parley::tests
