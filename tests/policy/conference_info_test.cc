// tests/policy/conference_info_test.cc - documents about a session's state, one by one. OMA-CONF-2 to OMA-CONF-7,
// OMA-ALIAS-3, OMA-ALIAS-4.
#include <gtest/gtest.h>

#include <memory>

#include "policy/conference_info.h"
#include "tests/policy/conference_reader.h"

namespace parley::tests {
namespace {

using policy::ConferenceInfoState;
using policy::DisconnectionMethod;
using policy::EndpointStatus;
using policy::JoiningMethod;
using policy::Roster;
using policy::RosterDocument;
using policy::RosterLimits;
using policy::RosterPlace;
using policy::RosterPosition;

constexpr const char* session = "sip:conf-1@example.org";

// One subscriber, as a reader of what he is sent.
struct Subscriber {
  ConferenceReader reader;
  RosterPosition at;
  std::uint32_t number = 0;
  RosterDocument last;
  std::string text;

  ConferenceReader::Step get(Roster& roster, bool full = false) {
    last = roster.document(at, full);
    text.clear();
    roster.put_head(last.full ? ConferenceInfoState::full : ConferenceInfoState::partial, ++number, text);
    text += last.tail;
    return reader.take(text);
  }
};

std::unique_ptr<Roster> make(const RosterLimits& limits = {}) {
  return std::make_unique<Roster>(
      session,
      policy::ConferenceDescription{
          .subject = "Q&A", .display_text = "Team", .maximum_user_count = 50, .conf_uris = {"sip:team@example.org"}},
      limits);
}

RosterPlace join(Roster& roster, const std::string& name, EndpointStatus status = EndpointStatus::connected) {
  return roster.join({.aor = "sip:" + name + "@example.org",
                      .entity = "sip:" + name + "@example.org",
                      .display = name,
                      .endpoint = "sip:" + name + "@192.0.2.1",
                      .status = status});
}

constexpr auto applied = ConferenceReader::Step::applied;

TEST(ConferenceInfo, OMA_CONF_7_FullDocumentSaysWhatThereIs) {
  const auto roster = make();
  ASSERT_TRUE(join(*roster, "alice").valid());
  ASSERT_TRUE(join(*roster, "bob", EndpointStatus::alerting).valid());
  Subscriber s;
  ASSERT_EQ(s.get(*roster), applied) << s.reader.fault() << s.text;
  const ConferenceElement& root = s.reader.root();
  EXPECT_EQ(root.attribute("entity"), session);
  EXPECT_EQ(root.attribute("state"), "full");
  EXPECT_EQ(root.attribute("version"), "1");
  const ConferenceElement& description = *root.child("conference-description");
  EXPECT_EQ(description.text_of("subject"), "Q&A");
  EXPECT_EQ(description.text_of("display-text"), "Team");
  EXPECT_EQ(description.text_of("maximum-user-count"), "50");
  EXPECT_EQ(description.child("conf-uris")->children[0].text_of("uri"), "sip:team@example.org");
  const ConferenceElement& stream = description.child("available-media")->children[0];
  EXPECT_EQ(stream.text_of("type") + " " + stream.text_of("status"), "message sendrecv");
  const ConferenceElement& state = *root.child("conference-state");
  EXPECT_EQ(state.text_of("user-count") + state.text_of("active") + state.text_of("locked"), "1truefalse");
  EXPECT_EQ(s.reader.users(),
            "sip:alice@example.org \"alice\" nick= | sip:alice@192.0.2.1 connected dialed-in sendrecv\n"
            "sip:bob@example.org \"bob\" nick= | sip:bob@192.0.2.1 alerting dialed-in\n");
  const ConferenceElement& media = *root.child("users")->children[0].child("endpoint")->child("media");
  EXPECT_EQ(media.attribute("id"), "1");
  EXPECT_EQ(media.text_of("type"), "message");
  EXPECT_EQ(media.text_of("label"), stream.attribute("label")) << "RFC 4575 section 5.8.3";
  EXPECT_EQ(media.child("src-id"), nullptr);
}

TEST(ConferenceInfo, OMA_CONF_5_EveryStatusAndMethodHasItsWord) {
  const std::pair<EndpointStatus, const char*> words[] = {{EndpointStatus::pending, "pending"},
                                                          {EndpointStatus::dialing_out, "dialing-out"},
                                                          {EndpointStatus::dialing_in, "dialing-in"},
                                                          {EndpointStatus::alerting, "alerting"},
                                                          {EndpointStatus::on_hold, "on-hold"},
                                                          {EndpointStatus::connected, "connected"},
                                                          {EndpointStatus::disconnecting, "disconnecting"},
                                                          {EndpointStatus::muted_via_focus, "muted-via-focus"}};
  const auto roster = make();
  const RosterPlace place =
      roster->join({.aor = "a", .entity = "sip:a@b", .endpoint = "sip:a@c", .method = JoiningMethod::dialed_out});
  Subscriber s;
  (void)s.get(*roster);
  for (const auto& [status, word] : words) {
    (void)roster->status(place, status);
    ASSERT_EQ(s.get(*roster), applied) << s.reader.fault();
    EXPECT_NE(s.reader.users().find(std::string(" ") + word + " dialed-out"), std::string::npos) << s.reader.users();
  }
  EXPECT_FALSE(roster->status(place, EndpointStatus::muted_via_focus)) << "no change";
  EXPECT_FALSE(roster->status(place, EndpointStatus::disconnected)) << "that is leave()";
  const std::pair<DisconnectionMethod, const char*> methods[] = {{DisconnectionMethod::departed, "departed"},
                                                                 {DisconnectionMethod::booted, "booted"},
                                                                 {DisconnectionMethod::failed, "failed"},
                                                                 {DisconnectionMethod::busy, "busy"}};
  for (const auto& [method, word] : methods) {
    const RosterPlace other = join(*roster, std::string("x") + word, EndpointStatus::dialing_out);
    ASSERT_TRUE(roster->leave(other, method, policy::reason_text(486, "say \"no\"")));
    EXPECT_FALSE(roster->leave(other, method)) << "once";
    ASSERT_EQ(s.get(*roster), applied);
    EXPECT_NE(s.reader.users().find(std::string("disconnected dialed-in ") + word +
                                    R"( Reason: SIP;cause=486;text="say \"no\"")"),
              std::string::npos)
        << s.reader.users();
  }
}

TEST(ConferenceInfo, OMA_CONF_3_PartialSaysWhatHasChangedAlone) {
  const auto roster = make();
  (void)join(*roster, "alice");
  const RosterPlace bob = join(*roster, "bob", EndpointStatus::alerting);
  Subscriber s;
  (void)s.get(*roster);
  ASSERT_TRUE(roster->status(bob, EndpointStatus::connected));
  ASSERT_EQ(s.get(*roster), applied) << s.reader.fault();
  EXPECT_EQ(s.reader.last().attribute("state") + s.reader.last().attribute("version"), "partial2");
  ASSERT_EQ(s.reader.last().child("users")->children.size(), 1U) << s.text;
  EXPECT_EQ(s.reader.last().child("conference-description"), nullptr);
  EXPECT_EQ(s.reader.count(), "2");
  ASSERT_TRUE(roster->lock(true));
  EXPECT_FALSE(roster->lock(true));
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_EQ(s.reader.last().child("users"), nullptr);
  EXPECT_EQ(s.reader.root().child("conference-state")->text_of("locked"), "true");
  roster->describe({.subject = "new"});
  ASSERT_TRUE(roster->activate(false));
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_EQ(s.reader.root().child("conference-description")->text_of("subject"), "new");
  EXPECT_EQ(s.reader.root().child("conference-state")->text_of("active"), "false");
}

TEST(ConferenceInfo, OMA_CONF_4_WhoCameAndLeftIsDisconnectedThenDeleted) {
  const auto roster = make();
  (void)join(*roster, "alice");
  Subscriber s;
  (void)s.get(*roster);
  const std::string alone = s.reader.users();
  ASSERT_TRUE(roster->leave(join(*roster, "bob"), DisconnectionMethod::departed));
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_TRUE(s.last.more);
  EXPECT_NE(s.reader.users().find("sip:bob@192.0.2.1 disconnected dialed-in departed"), std::string::npos);
  EXPECT_EQ(s.reader.count(), "1");
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_FALSE(s.last.more);
  EXPECT_EQ(s.reader.users(), alone);
  EXPECT_NE(s.text.find("<user entity=\"sip:bob@example.org\" state=\"deleted\"/>"), std::string::npos) << s.text;
}

TEST(ConferenceInfo, OMA_CONF_4_WhoComesBackIsNotDeleted) {
  const auto roster = make();
  Subscriber s;
  (void)s.get(*roster);
  const RosterPlace first = join(*roster, "bob");
  ASSERT_TRUE(roster->leave(first, DisconnectionMethod::departed));
  ASSERT_EQ(s.get(*roster), applied);
  const RosterPlace again = join(*roster, "bob");
  EXPECT_EQ(again.user, first.user);
  EXPECT_NE(again.endpoint, first.endpoint);
  EXPECT_FALSE(roster->leave(first, DisconnectionMethod::failed)) << "of the endpoint that has left";
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_FALSE(s.last.more);
  EXPECT_EQ(s.text.find("deleted"), std::string::npos);
  EXPECT_EQ(s.reader.users(), "sip:bob@example.org \"bob\" nick= | sip:bob@192.0.2.1 connected dialed-in sendrecv\n");
}

TEST(ConferenceInfo, OMA_CONF_4_WhoComesBackWithAnotherDeviceIsSeenToLeaveWithTheFirst) {
  const auto roster = make();
  const RosterPlace first = join(*roster, "bob");
  Subscriber s;
  (void)s.get(*roster);
  ASSERT_TRUE(roster->leave(first, DisconnectionMethod::departed));
  ASSERT_TRUE(
      roster->join({.aor = "sip:bob@example.org", .entity = "sip:bob@example.org", .endpoint = "sip:bob@192.0.2.2"})
          .valid());
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_TRUE(s.last.more);
  EXPECT_NE(s.reader.users().find("192.0.2.1 disconnected dialed-in departed | sip:bob@192.0.2.2 connected"),
            std::string::npos);
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_EQ(s.reader.users(), "sip:bob@example.org \"bob\" nick= | sip:bob@192.0.2.2 connected dialed-in sendrecv\n");
}

TEST(ConferenceInfo, OMA_CONF_4_AnEndpointGoesTheSameWayWhileItsUserStays) {
  const auto roster = make();
  Subscriber s;
  (void)join(*roster, "bob");
  (void)s.get(*roster);
  const RosterPlace second =
      roster->join({.aor = "sip:bob@example.org", .entity = "sip:BOB@example.org", .endpoint = "sip:bob@192.0.2.9"});
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_EQ(s.reader.count(), "1");
  EXPECT_NE(s.reader.users().find("sip:bob@example.org \"bob\""), std::string::npos) << "T-54: the first spelling";
  ASSERT_TRUE(roster->leave(second, DisconnectionMethod::booted));
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_TRUE(s.last.more);
  EXPECT_NE(s.reader.users().find("sip:bob@192.0.2.9 disconnected dialed-in booted"), std::string::npos);
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_FALSE(s.last.more);
  EXPECT_EQ(s.reader.users(), "sip:bob@example.org \"bob\" nick= | sip:bob@192.0.2.1 connected dialed-in sendrecv\n");
}

TEST(ConferenceInfo, OMA_CONF_2_OneDocumentForAllAtOnePositionAndNumbersOfTheirOwn) {
  const auto roster = make();
  (void)join(*roster, "alice");
  Subscriber early;
  (void)early.get(*roster);
  (void)early.get(*roster);
  (void)join(*roster, "bob");
  std::vector<Subscriber> others(50);
  const std::uint64_t before = roster->documents_written();
  for (Subscriber& s : others) ASSERT_EQ(s.get(*roster), applied);
  EXPECT_EQ(roster->documents_written(), before + 1) << "the full one, once";
  (void)early.get(*roster);
  (void)join(*roster, "carol");
  const std::uint64_t then = roster->documents_written();
  const char* bytes = nullptr;
  for (Subscriber& s : others) {
    ASSERT_EQ(s.get(*roster), applied);
    if (bytes != nullptr) {
      EXPECT_EQ(bytes, s.last.tail.data()) << "the same bytes, not the same text";
    }
    bytes = s.last.tail.data();
  }
  EXPECT_EQ(roster->documents_written(), then + 1);
  ASSERT_EQ(early.get(*roster), applied);
  EXPECT_EQ(early.reader.version(), 4U);
  EXPECT_EQ(others[0].reader.version(), 2U);
  EXPECT_EQ(early.reader.users(), others[0].reader.users());
}

TEST(ConferenceInfo, OMA_CONF_6_NobodyLearnsWhoIsAnonymous) {
  const auto roster = make();
  const auto hidden = [&](const std::string& name, const std::string& alias = {}) {
    return roster->join({.aor = "sip:" + name + "@example.org",
                         .entity = "sip:" + name + "@example.org",
                         .display = name,
                         .alias = alias,
                         .anonymous = true,
                         .endpoint = "sip:" + name + "@192.0.2.7"});
  };
  Subscriber s;
  (void)s.get(*roster);
  std::string all = s.text;
  const auto get = [&] {
    ASSERT_EQ(s.get(*roster), applied) << s.reader.fault();
    all += s.text;
  };
  const RosterPlace first = hidden("mallory");
  const RosterPlace second = hidden("mallory");
  EXPECT_EQ(first.user, second.user) << "two devices of one";
  const RosterPlace other = hidden("trudy", "Tiger");
  get();
  EXPECT_EQ(s.reader.users(),
            "sip:anonymous1@anonymous.invalid \"Anonymous1\" nick="
            " | sip:anonymous1@anonymous.invalid;endpoint=1 connected dialed-in sendrecv"
            " | sip:anonymous1@anonymous.invalid;endpoint=2 connected dialed-in sendrecv\n"
            "sip:anonymous2@anonymous.invalid \"Tiger\" nick=Tiger"
            " | sip:anonymous2@anonymous.invalid;endpoint=1 connected dialed-in sendrecv\n");
  EXPECT_EQ(roster->entity_of(other.user), "sip:anonymous2@anonymous.invalid");
  EXPECT_EQ(roster->display_of(other.user), "Tiger");
  EXPECT_EQ(roster->user_of("sip:anonymous2@anonymous.invalid"), other.user) << "OMA-ALIAS-5";
  (void)roster->leave(first, DisconnectionMethod::departed);
  (void)roster->leave(second, DisconnectionMethod::departed);
  get();
  get();
  roster->forget(roster->version());
  EXPECT_EQ(roster->user_of("sip:anonymous1@anonymous.invalid"), 0U);
  const RosterPlace third = hidden("eve");
  (void)hidden("mallory");
  get();
  EXPECT_EQ(roster->entity_of(third.user), "sip:anonymous3@anonymous.invalid") << "unique";
  EXPECT_NE(s.reader.users().find("sip:anonymous1@anonymous.invalid \"Anonymous1\""), std::string::npos) << "constant";
  // The same person in the open is somebody else.
  const RosterPlace open = join(*roster, "eve");
  EXPECT_NE(open.user, third.user);
  for (const char* secret : {"mallory", "trudy", "192.0.2.7"}) EXPECT_EQ(all.find(secret), std::string::npos) << secret;
}

TEST(ConferenceInfo, OMA_CONF_6_AUriOfTheInventedKindIsNotUsedTwice) {
  const auto roster = make();
  ASSERT_TRUE(
      roster->join({.aor = "x", .entity = "sip:anonymous1@anonymous.invalid", .endpoint = "sip:x@192.0.2.1"}).valid());
  const RosterPlace hidden = roster->join({.aor = "y", .entity = "sip:y@z", .anonymous = true});
  EXPECT_EQ(roster->entity_of(hidden.user), "sip:anonymous2@anonymous.invalid");
  EXPECT_FALSE(roster->join({.aor = "w", .entity = "sip:anonymous2@anonymous.invalid"}).valid());
}

TEST(ConferenceInfo, OMA_ALIAS_3_AliasIsDisplayTextAndNickname) {
  const auto roster = make();
  const RosterPlace bob = join(*roster, "bob");
  Subscriber s;
  (void)s.get(*roster);
  ASSERT_TRUE(roster->alias(bob.user, "Dopey <Donkey> & \"Co\""));
  EXPECT_FALSE(roster->alias(bob.user, "Dopey <Donkey> & \"Co\""));
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_NE(s.reader.users().find("\"Dopey <Donkey> & \"Co\"\" nick=Dopey <Donkey> & \"Co\""), std::string::npos)
      << s.text;
  ASSERT_TRUE(roster->alias(bob.user, ""));
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_NE(s.reader.users().find("\"bob\" nick= "), std::string::npos);
}

TEST(ConferenceInfo, TextsOfPeersCanNotBreakADocument) {
  const auto roster = make();
  const std::string bad =
      std::string("\x01<&>\"'\xff\xc0\x80]]>\r\n\t", 14) + std::string(1, '\0') + "\xed\xa0\x80<!--";
  const RosterPlace place = roster->join({.aor = bad, .entity = bad, .display = bad, .alias = bad, .endpoint = bad});
  ASSERT_TRUE(place.valid());
  roster->describe({.subject = bad, .display_text = bad, .conf_uris = {bad}});
  Subscriber s;
  ASSERT_EQ(s.get(*roster), applied) << s.reader.fault() << s.text;
  ASSERT_TRUE(roster->leave(place, DisconnectionMethod::failed, policy::reason_text(500, bad)));
  ASSERT_EQ(s.get(*roster), applied) << s.reader.fault() << s.text;
  EXPECT_EQ(s.reader.root().child("users")->children.size(), 1U);
}

TEST(ConferenceInfo, LongTextsAreCutAndLongUrisRefused) {
  const auto roster = make({.text_bytes_max = 10, .uri_bytes_max = 20});
  EXPECT_FALSE(roster->join({.aor = "a", .entity = std::string(21, 'a')}).valid());
  EXPECT_FALSE(roster->join({.aor = "a", .entity = "sip:a", .endpoint = std::string(21, 'a')}).valid());
  EXPECT_FALSE(roster->join({.aor = "a", .entity = ""}).valid());
  EXPECT_EQ(roster->users(), 0U);
  const RosterPlace place = roster->join({.aor = "a", .entity = "sip:a", .display = "123456789\xC3\xA4"});
  EXPECT_EQ(roster->display_of(place.user), "123456789") << "no half characters";
}

TEST(ConferenceInfo, LimitsOfUsersAndEndpoints) {
  const auto roster = make({.users_max = 2, .endpoints_max = 2});
  const RosterPlace a = join(*roster, "a");
  ASSERT_TRUE(join(*roster, "b").valid());
  EXPECT_FALSE(join(*roster, "c").valid());
  ASSERT_TRUE(roster->leave(a, DisconnectionMethod::departed));
  ASSERT_TRUE(join(*roster, "c").valid());
  EXPECT_FALSE(join(*roster, "a").valid()) << "its place is taken";
  const auto device = [&](const char* contact) {
    return roster->join({.aor = "sip:c@example.org", .entity = "sip:c@example.org", .endpoint = contact});
  };
  const RosterPlace second = device("sip:c@192.0.2.2");
  EXPECT_TRUE(second.valid());
  const std::uint64_t version = roster->version();
  EXPECT_FALSE(device("sip:c@192.0.2.3").valid());
  EXPECT_EQ(roster->version(), version);
  ASSERT_TRUE(roster->leave(second, DisconnectionMethod::departed));
  EXPECT_TRUE(device("sip:c@192.0.2.3").valid());
}

TEST(ConferenceInfo, WhoIsTooFarBehindGetsAFullOne) {
  const auto roster = make({.history_max = 3});
  Subscriber s;
  (void)s.get(*roster);
  for (int n = 0; n < 3; ++n)
    (void)roster->leave(join(*roster, "u" + std::to_string(n)), DisconnectionMethod::departed);
  (void)join(*roster, "stays");
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_FALSE(s.last.full);
  for (int n = 0; n < 4; ++n)
    (void)roster->leave(join(*roster, "v" + std::to_string(n)), DisconnectionMethod::departed);
  EXPECT_EQ(roster->departures(), 3U);
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_TRUE(s.last.full);
  EXPECT_FALSE(s.last.more);
  EXPECT_EQ(s.reader.users(),
            "sip:stays@example.org \"stays\" nick= | sip:stays@192.0.2.1 connected dialed-in sendrecv\n");
}

TEST(ConferenceInfo, ATooLongDocumentLeavesUsersOut) {
  const auto roster = make({.document_bytes_max = 4000});
  Subscriber s;
  (void)s.get(*roster);
  for (int n = 0; n < 30; ++n) (void)join(*roster, "u" + std::to_string(n));
  ASSERT_EQ(s.get(*roster), applied);
  EXPECT_TRUE(s.last.full) << "a partial one would be too long as well";
  EXPECT_TRUE(s.last.truncated);
  EXPECT_LE(s.last.tail.size(), 4000U);
  EXPECT_EQ(s.reader.count(), "30") << "RFC 4575 section 5.5.1: more than are listed";
  EXPECT_GT(s.reader.root().child("users")->children.size(), 5U);
}

TEST(ConferenceInfo, OMA_CONF_8_TheEndIsADocumentWithoutChildren) {
  std::string text;
  policy::put_conference_head(session, ConferenceInfoState::deleted, 7, text);
  text += policy::conference_deleted_tail;
  ConferenceReader reader;
  ASSERT_EQ(reader.take(text), applied) << reader.fault();
  EXPECT_TRUE(reader.deleted());
  EXPECT_EQ(reader.version(), 7U);
}

}  // namespace
}  // namespace parley::tests
