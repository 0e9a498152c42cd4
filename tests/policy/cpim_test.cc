// tests/policy/cpim_test.cc - heads of message/cpim: what the RFC has, what clients do, at every cut.
#include "policy/cpim.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/msrp/blocks.h"
#include "tests/policy/slow_cpim.h"

namespace parley::tests {
namespace {

using namespace parley::policy;
using Progress = CpimParser::Progress;

constexpr std::uint32_t head_max = 4096;

struct Read {
  std::string bytes;
  CpimHead head{};
  CpimError error = CpimError::none;
  [[nodiscard]] std::string operator()(Span span) const { return std::string(span.of(bytes)); }
  [[nodiscard]] std::string content() const { return bytes.substr(head.length); }
};

bool same(const CpimHead& a, const CpimHead& b) {
  const auto equal = [](Span x, Span y) { return x.offset == y.offset && x.length == y.length; };
  return a.length == b.length && a.headers_length == b.headers_length && a.header_count == b.header_count &&
         equal(a.from, b.from) && equal(a.from_line, b.from_line) && equal(a.from_uri, b.from_uri) &&
         equal(a.to, b.to) && equal(a.to_uri, b.to_uri) && a.from_count == b.from_count && a.to_count == b.to_count &&
         a.cc_count == b.cc_count && equal(a.date_time, b.date_time) && equal(a.subject, b.subject) &&
         a.requires_unknown == b.requires_unknown && equal(a.imdn_message_id, b.imdn_message_id) &&
         equal(a.disposition_notification, b.disposition_notification) && equal(a.original_to, b.original_to) &&
         equal(a.imdn_record_route, b.imdn_record_route) && equal(a.content_type, b.content_type) &&
         equal(a.content_disposition, b.content_disposition) &&
         equal(a.content_transfer_encoding, b.content_transfer_encoding);
}

// As a whole and cut at every byte, each time in a block that ends where the bytes end.
Read read(const std::string& message, std::uint32_t limit = head_max) {
  Read out{.bytes = message};
  CpimParser whole;
  {
    const ExactBlock block(message);
    const Progress progress = whole.parse(block.view(), true, limit);
    EXPECT_NE(progress, Progress::need_more);
    out.head = whole.head();
    out.error = progress == Progress::bad ? whole.error() : CpimError::none;
  }
  for (std::size_t cut = 0; cut < message.size(); ++cut) {
    CpimParser parser;
    const ExactBlock first(std::string_view(message).substr(0, cut));
    Progress progress = parser.parse(first.view(), false, limit);
    if (progress == Progress::need_more) {
      const ExactBlock second(message);
      progress = parser.parse(second.view(), true, limit);
    }
    EXPECT_EQ(progress == Progress::bad ? parser.error() : CpimError::none, out.error) << "cut at " << cut;
    if (progress == Progress::done) {
      EXPECT_TRUE(same(parser.head(), out.head)) << "cut at " << cut;
    }
  }
  return out;
}

const std::string sample =
    "From: MR SANDERS <im:piglet@100akerwood.com>\r\n"
    "To: Depressed Donkey <im:eeyore@100akerwood.com>\r\n"
    "DateTime: 2000-12-13T13:40:00-08:00\r\n"
    "Subject: the weather will be fine today\r\n"
    "Subject:;lang=fr beau temps prevu pour aujourd'hui\r\n"
    "NS: MyFeatures <mid:MessageFeatures@id.foo.com>\r\n"
    "Require: MyFeatures.VitalMessageOption\r\n"
    "MyFeatures.VitalMessageOption: Confirmation-requested\r\n"
    "MyFeatures.WackyMessageOption: Use-silly-font\r\n"
    "\r\n"
    "Content-type: text/xml; charset=utf-8\r\n"
    "Content-ID: <1234567890@foo.com>\r\n"
    "\r\n"
    "<body>\r\nHere is the text of my message.\r\n</body>\r\n";

TEST(Cpim, R3862_1_TheExampleOfTheRfc) {
  const Read message = read(sample);
  ASSERT_EQ(message.error, CpimError::none);
  EXPECT_EQ(message(message.head.from), "MR SANDERS <im:piglet@100akerwood.com>");
  EXPECT_EQ(message(message.head.from_line), "From: MR SANDERS <im:piglet@100akerwood.com>\r\n");
  EXPECT_EQ(message(message.head.from_uri), "im:piglet@100akerwood.com");
  EXPECT_EQ(message(message.head.to_uri), "im:eeyore@100akerwood.com");
  EXPECT_EQ(message(message.head.date_time), "2000-12-13T13:40:00-08:00");
  EXPECT_EQ(message(message.head.subject), "the weather will be fine today");
  EXPECT_EQ(message(message.head.content_type), "text/xml; charset=utf-8");
  EXPECT_EQ(message.content(), "<body>\r\nHere is the text of my message.\r\n</body>\r\n");
}

TEST(Cpim, R3862_7_RequireOfWhatIsNotKnownIsSeen) {
  EXPECT_TRUE(read(sample).head.requires_unknown);
  const std::string known = "NS: x <urn:ietf:params:imdn>\r\nRequire: Subject,x.Message-ID , imdn.Original-To\r\n";
  EXPECT_FALSE(read(known + "\r\n\r\n").head.requires_unknown);
  EXPECT_TRUE(read(known + "Require: subjects\r\n\r\n\r\n").head.requires_unknown);
  EXPECT_FALSE(read("Require: \r\n\r\n\r\n").head.requires_unknown);
}

TEST(Cpim, R3862_4_ParametersStandBeforeTheSpace) {
  const Read french = read("Subject:;lang=fr;x=\"a b\\\" c\" Objet de message\r\n\r\n\r\n");
  EXPECT_EQ(french(french.head.subject), "Objet de message");
  const Read value = read("Subject: ;lang=fr text\r\n\r\n\r\n");
  EXPECT_EQ(value(value.head.subject), ";lang=fr text");
  const Read nothing = read("Subject:;lang=fr\r\n\r\n\r\n");
  EXPECT_FALSE(nothing.head.subject.present());
}

TEST(Cpim, R3862_5_PrefixesAreResolved) {
  const Read other = read("NS: q <urn:ietf:params:imdn>\r\nq.Message-ID: abc\r\n\r\n\r\n");
  EXPECT_EQ(other(other.head.imdn_message_id), "abc");
  // The prefix is local: here it is somebody else's.
  const Read taken = read("NS: imdn <http://example.com/x>\r\nimdn.Message-ID: abc\r\n\r\n\r\n");
  EXPECT_FALSE(taken.head.imdn_message_id.present());
  const Read late = read("q.Message-ID: early\r\nNS: q <urn:ietf:params:imdn>\r\nq.Message-ID: abc\r\n\r\n\r\n");
  EXPECT_EQ(late(late.head.imdn_message_id), "abc");
  // Another default namespace: From is no sender any more, until the prefix brings it back.
  const Read moved = read(
      "NS: <http://id.acme.widgets/wily-headers/>\r\nFrom: <sip:a@b>\r\n"
      "NS: <urn:ietf:params:cpim-headers:>\r\nTo: <sip:c@d>\r\n\r\n\r\n");
  EXPECT_EQ(moved.head.from_count, 0);
  EXPECT_EQ(moved.head.to_count, 0);  // NS itself stood in the wrong namespace
}

TEST(Cpim, T_79_NsWithASpaceOrWithoutAndImdnWithoutNs) {
  for (const std::string ns : {"NS: imdn <urn:ietf:params:imdn>\r\n", "NS: imdn<urn:ietf:params:imdn>\r\n", ""}) {
    const Read message =
        read(ns + "imdn.Message-ID: 34jk\r\nimdn.Disposition-Notification: positive-delivery, display\r\n\r\n\r\n");
    EXPECT_EQ(message(message.head.imdn_message_id), "34jk");
    EXPECT_EQ(message(message.head.disposition_notification), "positive-delivery, display");
  }
}

TEST(Cpim, T_78_LineFeedsCaseAndNoContentType) {
  const Read lf =
      read("from: <sip:a@b>\nTO:<sip:c@d>\ndatetime: 2009-03-02T15:02:31+0000\n\ncontent-type: text/plain\n\nHello\n");
  ASSERT_EQ(lf.error, CpimError::none);
  EXPECT_EQ(lf(lf.head.from_uri), "sip:a@b");
  EXPECT_EQ(lf(lf.head.to_uri), "sip:c@d");
  EXPECT_EQ(lf(lf.head.date_time), "2009-03-02T15:02:31+0000");
  EXPECT_EQ(lf(lf.head.content_type), "text/plain");
  EXPECT_EQ(lf.content(), "Hello\n");

  const Read bare = read("From: <sip:a@b>\r\n\r\nHello, you\r\n");
  EXPECT_EQ(bare.content(), "Hello, you\r\n");
  EXPECT_FALSE(bare.head.content_type.present());

  const Read no_second_blank = read("From: <sip:a@b>\r\n\r\nContent-Type: text/plain\r\nHello there");
  EXPECT_EQ(no_second_blank(no_second_blank.head.content_type), "text/plain");
  EXPECT_EQ(no_second_blank.content(), "Hello there");

  const Read one_block = read("From: <sip:a@b>\r\nContent-Type: text/plain\r\n\r\nHello: there\r\n\r\n");
  EXPECT_EQ(one_block(one_block.head.content_type), "text/plain");
  EXPECT_EQ(one_block.content(), "Hello: there\r\n\r\n");
}

TEST(Cpim, R3862_1_AnEmptyContentAndNoContentHeaders) {
  EXPECT_EQ(read("From: <sip:a@b>\r\n\r\n\r\n").content(), "");
  EXPECT_EQ(read("From: <sip:a@b>\r\n\r\n\r\nx").content(), "x");
  EXPECT_EQ(read("From: <sip:a@b>\r\n\r\n").content(), "");
  EXPECT_EQ(read("From: <sip:a@b>\r\n\r\nContent-Type: a/b\r\n").content(), "");
  EXPECT_EQ(read("\r\n\r\nx").content(), "x");
}

TEST(Cpim, R3862_1_HeadersOfTheContentMayBeFolded) {
  const Read message = read(
      "From: <sip:a@b>\r\n\r\nContent-Type: multipart/mixed;\r\n boundary=\"x\"\r\nContent-Disposition: "
      "render\r\n\r\n--x");
  EXPECT_EQ(message(message.head.content_type), "multipart/mixed;\r\n boundary=\"x\"");
  EXPECT_EQ(message(message.head.content_disposition), "render");
  EXPECT_EQ(message.content(), "--x");
  // A message header may not.
  EXPECT_EQ(read("Subject: a\r\n b\r\n\r\n\r\n").error, CpimError::header_syntax);
}

TEST(Cpim, R3862_2_ControlCharactersHaveToBeEscaped) {
  EXPECT_EQ(read("Subject: a\x01z\r\n\r\n\r\n").error, CpimError::header_syntax);
  EXPECT_EQ(read(std::string("Subject: a\0z\r\n\r\n\r\n", 17)).error, CpimError::header_syntax);
  EXPECT_EQ(read("Subject: a\rz\r\n\r\n\r\n").error, CpimError::header_syntax);
  EXPECT_EQ(read("no header\r\n\r\n\r\n").error, CpimError::header_syntax);
  EXPECT_EQ(read(": x\r\n\r\n\r\n").error, CpimError::header_syntax);
  EXPECT_EQ(read("Subject: a\tz \xc3\xa9\r\n\r\n\r\n").error, CpimError::none);
}

TEST(Cpim, R3862_7_HowManyThereAreIsCounted) {
  const Read message = read("From: <sip:a@b>\r\nTo: <sip:c@d>\r\nTo: <sip:e@f>\r\ncc: <sip:g@h>\r\n\r\n\r\n");
  EXPECT_EQ(message.head.to_count, 2);
  EXPECT_EQ(message.head.cc_count, 1);
  EXPECT_EQ(message(message.head.to_uri), "sip:c@d");
  EXPECT_EQ(message.head.header_count, 4);
}

TEST(Cpim, LimitsOfAHead) {
  const std::string endless = "Subject: " + std::string(5000, 'x');
  EXPECT_EQ(read(endless, 1024).error, CpimError::too_long);
  EXPECT_EQ(read("Subject: x\r\n\r\n\r\n", 14).error, CpimError::too_long);
  EXPECT_EQ(read("Subject: x\r\n\r\n\r\n", 16).error, CpimError::none);
  std::string many;
  for (int i = 0; i < cpim_headers_max; ++i) many += "X: y\r\n";
  EXPECT_EQ(read(many + "\r\n\r\n").error, CpimError::none);
  EXPECT_EQ(read(many + "X: y\r\n\r\n\r\n").error, CpimError::too_many_headers);
  // Of the content's, what is beyond the limit is passed over.
  EXPECT_EQ(read(many + "\r\n" + many + "Content-Type: a/b\r\n\r\nz").content(), "z");
  EXPECT_EQ(read("From: <sip:a@b>\r\n").error, CpimError::cut);
  EXPECT_EQ(read("").error, CpimError::cut);
}

TEST(Cpim, R3862_7_Addresses) {
  const auto address = [](std::string_view value) {
    CpimAddress out;
    return parse_cpim_address(value, out) ? std::string(out.name) + "|" + std::string(out.uri) : std::string("no");
  };
  EXPECT_EQ(address("<im:a@b>"), "|im:a@b");
  EXPECT_EQ(address("Winnie the Pooh <im:pooh@100akerwood.com>"), "Winnie the Pooh|im:pooh@100akerwood.com");
  EXPECT_EQ(address("\"A \\\"B\\\" <x>\" <sip:a@b;x=y>"), "A \\\"B\\\" <x>|sip:a@b;x=y");
  EXPECT_EQ(address("sip:a@b"), "|sip:a@b");
  EXPECT_EQ(address("A<sip:a@b>"), "A|sip:a@b");
  EXPECT_EQ(address("\"\"<sip:a@b>"), "|sip:a@b");
  EXPECT_EQ(address("<sip:a@b> x"), "no");
  EXPECT_EQ(address("<>"), "no");
  EXPECT_EQ(address(""), "no");
  EXPECT_EQ(address("A B"), "no");
  EXPECT_EQ(address("\"A <sip:a@b>"), "no");
}

TEST(Cpim, R3862_6_EscapesAreUndone) {
  const auto undone = [](std::string_view value) {
    std::string out;
    append_unescaped(out, value);
    return out;
  };
  EXPECT_EQ(undone(R"(a\\b\"c\'d)"), "a\\b\"c'd");
  EXPECT_EQ(undone(R"(\b\t\n\r)"), "\b\t\n\r");
  EXPECT_EQ(undone(R"(\u0041\u00e9\u20AC)"), "A\xc3\xa9\xe2\x82\xac");
  EXPECT_EQ(undone(R"(\ud83d)"), "\xef\xbf\xbd");
  EXPECT_EQ(undone(R"(\x\q)"), "xq");
  EXPECT_EQ(undone(R"(\u12)"), "u12");
  EXPECT_EQ(undone("end\\"), "end");
}

TEST(Cpim, R3862_6_WhatIsWrittenIsReadAgain) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::size_t n = random() % 20; n > 0; --n) text.push_back(static_cast<char>(random() % 128));
    std::string line;
    append_cpim_address(line, "From", text, "sip:anonymous1@anonymous.invalid");
    const Read message = read(line + "\r\n\r\n");
    ASSERT_EQ(message.error, CpimError::none);
    CpimAddress address;
    ASSERT_TRUE(parse_cpim_address(message.head.from.of(message.bytes), address));
    std::string undone;
    append_unescaped(undone, address.name);
    ASSERT_EQ(undone, text);
    ASSERT_EQ(address.uri, "sip:anonymous1@anonymous.invalid");
  }
}

TEST(Cpim, R3862_1_OurOwnHead) {
  std::string head;
  append_cpim_head(head, {.from_name = "Team \"A\"",
                          .from_uri = "sip:team@example.org",
                          .to_uri = "sip:bob@example.org",
                          .wall_ms = 1'236'006'151'999,
                          .content_type = "text/plain;charset=UTF-8"});
  EXPECT_EQ(head,
            "From: \"Team \\\"A\\\"\" <sip:team@example.org>\r\n"
            "To: <sip:bob@example.org>\r\n"
            "DateTime: 2009-03-02T15:02:31Z\r\n"
            "\r\n"
            "Content-Type: text/plain;charset=UTF-8\r\n"
            "\r\n");
  EXPECT_EQ(read(head + "Hello").content(), "Hello");
}

// Heads made of lines that matter, some damaged: both readers say the same.
TEST(Cpim, R3862_2_TheSlowReaderAgrees) {
  const std::vector<std::string> pieces = {"From: A <sip:a@b>\r\n",
                                           "from:sip:x@y\n",
                                           "To: <sip:c@d>\r\n",
                                           "cc: <sip:e@f>\r\n",
                                           "DateTime: 1\r\n",
                                           "NS: imdn <urn:ietf:params:imdn>\r\n",
                                           "NS: q<urn:ietf:params:imdn>\r\n",
                                           "NS: <urn:ietf:params:imdn>\r\n",
                                           "NS: r <urn:ietf:params:cpim-headers:>\r\n",
                                           "imdn.Message-ID: m\r\n",
                                           "q.Message-ID: n\r\n",
                                           "Message-ID: o\r\n",
                                           "r.To: <sip:g@h>\r\n",
                                           "Subject:;lang=\"x y\" z\r\n",
                                           "Content-Type: text/plain\r\n",
                                           "Content-Type: a/b;\r\n x=y\r\n",
                                           "\r\n",
                                           "\n",
                                           "\r\n",
                                           "Hello",
                                           " folded\r\n",
                                           "x",
                                           ":",
                                           "\x01",
                                           "\r",
                                           "imdn.Disposition-Notification: display\r\n"};
  std::mt19937_64 random(7);
  int good = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string message;
    for (std::size_t n = random() % 9 + 1; n > 0; --n) message += pieces[random() % pieces.size()];
    CpimParser parser;
    std::size_t size = random() % (message.size() + 1);
    Progress progress = Progress::need_more;
    while (progress == Progress::need_more) {
      const ExactBlock block(std::string_view(message).substr(0, size));
      progress = parser.parse(block.view(), size == message.size(), head_max);
      if (size == message.size()) break;
      size = std::min(message.size(), size + 1 + random() % 20);
    }
    const std::optional<SlowCpim> slow = slow_cpim(message);
    ASSERT_EQ(progress == Progress::done, slow.has_value()) << message;
    if (!slow) continue;
    ++good;
    const CpimHead& head = parser.head();
    const auto text = [&message](Span span) { return std::string(span.of(message)); };
    ASSERT_EQ(head.length, slow->length) << message;
    ASSERT_EQ(head.headers_length, slow->headers_length) << message;
    ASSERT_EQ(text(head.from), slow->from) << message;
    ASSERT_EQ(text(head.from_line), slow->from_line) << message;
    ASSERT_EQ(text(head.to), slow->to) << message;
    ASSERT_EQ(head.from_count, slow->from_count) << message;
    ASSERT_EQ(head.to_count, slow->to_count) << message;
    ASSERT_EQ(head.cc_count, slow->cc_count) << message;
    ASSERT_EQ(text(head.date_time), slow->date_time) << message;
    ASSERT_EQ(text(head.content_type), slow->content_type) << message;
    ASSERT_EQ(text(head.imdn_message_id), slow->imdn_message_id) << message;
    ASSERT_EQ(text(head.disposition_notification), slow->disposition_notification) << message;
  }
  EXPECT_GT(good, 5000);
}

}  // namespace
}  // namespace parley::tests
