// tests/service/history_refer_test.cc - REFER for a record of a history: what is one short message is sent as a MESSAGE (OMA-HIS-5,
// as OMA-DEF-13 and OMA-DEF-14 say).
#include "tests/service/recorded.h"

namespace parley::tests {
namespace {

struct Referred : Recorded {
  core::HistoryRecordRow& pager(std::uint64_t id, const std::string& text, const std::string& user = "bob") {
    core::HistoryRecordRow& row = record(id, user);
    row.kind = core::HistoryKind::pager_large;
    message(id, 1, text);
    return row;
  }
  static std::string name(std::uint64_t id) { return policy::history_reference(id, "example.org"); }
};

TEST_F(Referred, OMA_HIS_5_AShortMessageIsSentAndStays) {
  pager(7, "hello").subject = "lunch";
  const std::string accepted = refers(*bob, history_function, name(7));
  EXPECT_EQ(Phone::kind(accepted), "202 REFER");
  EXPECT_EQ(fragment(told(*bob)), "100");
  const std::string message = takes(*bob);
  EXPECT_EQ(body_of(message), "hello");
  EXPECT_TRUE(header(message, "From").starts_with("\"Alice\" <sip:alice@example.org>;tag=")) << message;
  EXPECT_EQ(header(message, "To"), "<sip:bob@example.org>");
  EXPECT_EQ(header(message, "P-Asserted-Identity"), "<sip:History@example.org>");
  EXPECT_EQ(header(message, "Subject"), "lunch");
  EXPECT_EQ(header(message, "Content-Type"), "text/plain");
  EXPECT_EQ(header(message, "Date"), "Tue, 14 Nov 2023 22:12:21 GMT");
  EXPECT_EQ(fragment(told(*bob)), "200");
  EXPECT_EQ(world->store.histories.size(), 1U);
  EXPECT_EQ(world->metric(Metric::history_retrieved), 1U);
  EXPECT_EQ(world->metric(Metric::im_deferred_retrieved), 0U);
  at_rest();
}

TEST_F(Referred, OMA_HIS_5_WhatIsNoneIsFetchedByInvite) {
  record(7);
  message(7, 1, "of a session");
  pager(8, std::string(1301, 'x'));
  pager(9, "another's", "carol");
  pager(10, "over").expires_ms = world->now.wall_ms;
  for (const std::uint64_t id : {std::uint64_t{7}, std::uint64_t{8}}) {
    const std::string refused = refers(*bob, history_function, name(id));
    EXPECT_EQ(code(refused), "488");
    EXPECT_NE(header(refused, "Warning").find("INVITE its reference"), std::string::npos) << refused;
  }
  EXPECT_EQ(code(refers(*bob, history_function, name(9))), "403") << "OMA-DEF-14";
  EXPECT_EQ(code(refers(*bob, history_function, name(10))), "404");
  EXPECT_EQ(code(refers(*bob, history_function, name(11))), "404");
  EXPECT_EQ(code(refers(*bob, "sip:carol@example.org", name(8))), "403") << "nor by her name";
  EXPECT_EQ(code(refers(*bob, history_function, "sip:carol@example.org")), "404");
  // Its body was left out.
  core::HistoryMessageRow& row = message(12, 1, "");
  record(12).kind = core::HistoryKind::pager_large;
  row.kept = false;
  row.size = 100'000;
  EXPECT_EQ(Phone::kind(refers(*bob, history_function, name(12))), "202 REFER");
  EXPECT_EQ(fragment(told(*bob)), "100");
  EXPECT_EQ(fragment(told(*bob)), "488");
  at_rest();
}

TEST_F(Referred, OMA_HIS_5_SeveralByAListAndOneSentOn) {
  pager(7, "one");
  pager(8, "two");
  const std::string lines = "Require: multiple-refer, norefersub\r\nRefer-Sub: false\r\nContent-ID: <l@x>\r\n";
  EXPECT_EQ(Phone::kind(refers(*bob, history_function, "cid:l@x", lines, resource_list({name(8), name(99), name(7)}))),
            "200 REFER");
  EXPECT_EQ(body_of(takes(*bob)), "two");
  EXPECT_EQ(body_of(takes(*bob)), "one");
  EXPECT_EQ(code(refers(*bob, history_function, "cid:l@x", lines, resource_list({name(8), reference(1)}))), "403")
      << "of one kind";
  EXPECT_EQ(Phone::kind(refers(*bob, name(7), "sip:carol@example.org;method=MESSAGE")), "202 REFER");
  EXPECT_EQ(fragment(told(*bob)), "100");
  const std::string message = takes(*carol);
  EXPECT_EQ(body_of(message), "one");
  EXPECT_EQ(header(message, "P-Asserted-Identity"), "<sip:bob@example.org>");
  EXPECT_EQ(header(message, "Referred-By"), "<sip:bob@example.org>");
  EXPECT_EQ(fragment(told(*bob)), "200");
  EXPECT_EQ(world->store.histories.size(), 2U);
  at_rest();
}

TEST_F(Referred, OMA_HIS_5_WhatIsDeletedMeanwhileIsGone) {
  pager(7, "one");
  pager(8, "two");
  const std::string lines = "Require: multiple-refer, norefersub\r\nRefer-Sub: false\r\nContent-ID: <l@x>\r\n";
  EXPECT_EQ(Phone::kind(refers(*bob, history_function, "cid:l@x", lines, resource_list({name(7), name(8)}))), "200 REFER");
  const std::string first = bob->want("MESSAGE");
  EXPECT_EQ(asks(Kind::history_delete, "bob 8"), "{\"deleted\":true,\"records\":1}");
  bob->respond(first, 200);
  bob->quiet();
  at_rest();
}

TEST_F(Referred, OMA_HIS_5_WithoutAFunctionForWhatWaits) {
  start_recorded([](policy::SipConfig& c) { c.im.deferred.on = false; });
  pager(7, "hello");
  EXPECT_EQ(Phone::kind(refers(*bob, history_function, name(7))), "202 REFER");
  EXPECT_EQ(fragment(told(*bob)), "100");
  EXPECT_EQ(body_of(takes(*bob)), "hello");
  EXPECT_EQ(fragment(told(*bob)), "200");
  EXPECT_NE(code(refers(*bob, dmf, reference(1))), "202");
}

}  // namespace
}  // namespace parley::tests
