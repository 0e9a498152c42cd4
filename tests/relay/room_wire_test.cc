// A room over real sessions (policy/room.h on msrp/ends.h): what stands on the wire.
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "policy/room.h"
#include "policy/room_legs.h"
#include "tests/relay/fixture.h"

namespace parley::testing {
namespace {

using namespace parley::policy;

class RoomWireTest : public RelayTest, public policy::Service::FactTaker {
 protected:
  struct Seat {
    msrp::EndHandle end;
    MemberHandle member;
    core::ConnId conn;
    std::string uri;   // ours
    std::string path;  // his
    std::string who;
  };

  RoomWireTest() {
    relay.service.give_facts_to(this);
    act([this](msrp::Ends&) {
      RoomTraits traits;
      traits.identity = "sip:chatroom22@chat.example.com";
      room = rooms->open(traits);
    });
  }
  ~RoomWireTest() override {
    act([this](msrp::Ends&) { rooms->end(room); });
  }

  void act(std::function<void(msrp::Ends&)> call) {
    call_ = std::move(call);
    relay.step(std::span<const core::Input>{});
  }
  void on_step(msrp::Ends& ends) override {
    if (rooms == nullptr) {
      legs = std::make_unique<RoomEnds>(ends);
      rooms = std::make_unique<Rooms>(
          Rooms::Parts{relay.pool, relay.metrics, random, *legs, std::make_shared<RoomConfig>()});
    }
    rooms->begin(relay.now);
    rooms->expire();
    if (call_) std::exchange(call_, nullptr)(ends);
  }
  void on_fact(msrp::EndFact& fact) override {
    if (!rooms->on_fact(fact)) ++nobodys;
  }

  Seat join(const std::string& name) {
    Seat seat;
    seat.who = "sip:" + name + "@example.com";
    seat.path = "msrp://" + name + ".example.net:7777/s" + name + ";tcp";
    act([&](msrp::Ends& ends) {
      seat.end = ends.open(false, 0);
      seat.uri = ends.uri(seat.end);
      Member about;
      about.uri = seat.who;
      about.end = seat.end;
      seat.member = rooms->join(room, about).member;
      ends.connect(seat.end, {seat.path, false, false});
    });
    seat.conn = relay.open();
    relay.send(seat.conn,
               "MSRP bind SEND\r\nTo-Path: " + seat.uri + "\r\nFrom-Path: " + seat.path + "\r\n-------bind$\r\n");
    EXPECT_EQ(relay.take(seat.conn), ok("bind", seat.path, seat.uri));
    return seat;
  }
  static std::string wrapped(const std::string& from, const std::string& to, const std::string& text) {
    return "From: <" + from + ">\r\nTo: <" + to +
           ">\r\nDateTime: 2009-03-02T15:02:31-03:00\r\n\r\nContent-Type: text/plain\r\n\r\n" + text;
  }
  static std::string send_from(const Seat& seat, const std::string& tid, const std::string& headers,
                               const std::string& body, char flag = '$') {
    return "MSRP " + tid + " SEND\r\nTo-Path: " + seat.uri + "\r\nFrom-Path: " + seat.path + "\r\n" + headers +
           "Content-Type: message/cpim\r\n\r\n" + body + "\r\n-------" + tid + flag + "\r\n";
  }
  static std::string body_of(const std::string& frame) {
    const std::string end = "\r\n-------" + frame.substr(5, frame.find(' ', 5) - 5);
    const std::size_t start = frame.find("\r\n\r\n") + 4;
    return frame.substr(start, frame.rfind(end) - start);
  }

  core::Random random{core::Seed{}};
  std::unique_ptr<RoomEnds> legs;
  std::unique_ptr<Rooms> rooms;
  RoomHandle room;
  int nobodys = 0;

 private:
  std::function<void(msrp::Ends&)> call_;
};

// RFC 7701 section 9.3.
TEST_F(RoomWireTest, R7701_1_A_regular_message_to_everybody_else) {
  const Seat alice = join("alice"), bob = join("bob"), carol = join("carol");
  const std::string text =
      wrapped(alice.who, "sip:chatroom22@chat.example.com;transport=tcp", "Hello guys, how are you today?");
  relay.send(alice.conn, send_from(alice, "3490visdm", "Message-ID: 99s9s2\r\nByte-Range: 1-*/*\r\n", text));
  EXPECT_EQ(relay.take(alice.conn), ok("3490visdm", alice.path, alice.uri));
  std::string id;
  for (const Seat& seat : {bob, carol}) {
    const std::string frame = relay.take(seat.conn);
    EXPECT_EQ(header(frame, "To-Path"), seat.path);
    EXPECT_EQ(header(frame, "From-Path"), seat.uri);
    EXPECT_EQ(header(frame, "Byte-Range"), "1-" + std::to_string(text.size()) + "/" + std::to_string(text.size()));
    EXPECT_EQ(body_of(frame), text);
    EXPECT_TRUE(frame.ends_with("$\r\n"));
    EXPECT_NE(header(frame, "Message-ID"), "99s9s2");
    if (!id.empty()) {
      EXPECT_EQ(header(frame, "Message-ID"), id);
    }
    id = header(frame, "Message-ID");
    relay.send(seat.conn, ok(frame.substr(5, frame.find(' ', 5) - 5), seat.uri, seat.path));
  }
  EXPECT_EQ(nobodys, 0);
}

// RFC 7701 section 9.2.
TEST_F(RoomWireTest, R7701_3_Setting_up_a_nickname) {
  const Seat alice = join("alice"), bob = join("bob");
  const auto asks = [&](const Seat& seat, const std::string& tid, const std::string& nickname) {
    relay.send(seat.conn, "MSRP " + tid + " NICKNAME\r\nTo-Path: " + seat.uri + "\r\nFrom-Path: " + seat.path +
                              "\r\nUse-Nickname: " + nickname + "\r\n-------" + tid + "$\r\n");
    return relay.take(seat.conn).substr(0, 5 + tid.size() + 4);
  };
  EXPECT_EQ(asks(bob, "tid1", "\"Alice the great\""), "MSRP tid1 200");
  EXPECT_EQ(asks(alice, "d93kswow", "\"Alice  the GREAT\""), "MSRP d93kswow 425");
  EXPECT_EQ(asks(alice, "09swk2d", "\"Alice in Wonderland\""), "MSRP 09swk2d 200");
  EXPECT_EQ(asks(alice, "tid4", "\"a\xe2\x80\x8b\""), "MSRP tid4 424");
  EXPECT_EQ(asks(bob, "tid5", "\"\""), "MSRP tid5 200");
  EXPECT_EQ(asks(alice, "tid6", "\"Alice the great\""), "MSRP tid6 200");
}

// RFC 7701 section 6.2: the REPORT is a frame with a body.
TEST_F(RoomWireTest, R7701_1_The_report_about_a_private_message_carries_from_and_to) {
  const Seat alice = join("alice"), bob = join("bob"), carol = join("carol");
  const std::string text = wrapped(alice.who, bob.who, "Hello Bob.");
  relay.send(alice.conn,
             send_from(alice, "6959ssdf", "Message-ID: okj3kw\r\nSuccess-Report: yes\r\nByte-Range: 1-*/*\r\n", text));
  EXPECT_EQ(body_of(relay.take(bob.conn)), text);
  EXPECT_EQ(relay.take(carol.conn), "");
  const std::string got = relay.take(alice.conn);
  std::string report = got.substr(got.rfind("MSRP ", got.find(" REPORT")));
  const std::string tid = report.substr(5, report.find(' ', 5) - 5);
  report = report.substr(0, report.find("-------" + tid + "$") + tid.size() + 10);
  EXPECT_EQ(header(report, "Message-ID"), "okj3kw");
  EXPECT_EQ(header(report, "Status"), "000 200 OK");
  EXPECT_EQ(header(report, "Content-Type"), "message/cpim");
  EXPECT_EQ(body_of(report), "From: <" + alice.who + ">\r\nTo: <" + bob.who + ">\r\n\r\n\r\n");
  EXPECT_NE(got.find("MSRP 6959ssdf 200"), std::string::npos);
  // It can be read as any frame.
  msrp::HeadParser parser;
  ASSERT_EQ(parser.parse(report, {}, nullptr), msrp::Progress::done);
  EXPECT_TRUE(parser.head().has_body);
}

TEST_F(RoomWireTest, R7701_2_A_long_message_goes_on_while_it_comes_and_ends_with_its_sender) {
  const Seat alice = join("alice"), bob = join("bob");
  const std::string text = wrapped(alice.who, "sip:chatroom22@chat.example.com", std::string(150'000, 'x'));
  const std::string total = std::to_string(text.size());
  const std::string frame = send_from(alice, "long", "Message-ID: big\r\nByte-Range: 1-*/" + total + "\r\n", text);
  relay.send(alice.conn, frame.substr(0, 100'000));
  std::string got = relay.take(bob.conn);
  EXPECT_NE(got.find("Byte-Range: 1-"), std::string::npos);
  EXPECT_GT(got.size(), 50'000U);
  relay.send(alice.conn, frame.substr(100'000));
  got += relay.take(bob.conn);
  std::string whole;
  std::uint64_t next = 1;
  while (!got.empty()) {
    const std::string tid = got.substr(5, got.find(' ', 5) - 5);
    const std::size_t end = got.find("\r\n-------" + tid);
    ASSERT_NE(end, std::string::npos);
    const std::string one = got.substr(0, end + 9 + tid.size() + 3);
    const std::string range = header(one, "Byte-Range");
    EXPECT_EQ(range.substr(0, range.find('-')), std::to_string(next));
    EXPECT_TRUE(range.ends_with("/" + total)) << range;
    whole += body_of(one);
    next += body_of(one).size();
    EXPECT_EQ(one[one.size() - 3], next > text.size() ? '$' : '+');
    got.erase(0, one.size());
  }
  EXPECT_EQ(whole, text);
  (void)relay.take(alice.conn);
  // Another one, whose sender is gone in the middle.
  relay.send(alice.conn,
             send_from(alice, "lon2", "Message-ID: big2\r\nByte-Range: 1-*/" + total + "\r\n", text).substr(0, 80'000));
  (void)relay.take(bob.conn);
  relay.close(alice.conn);
  const std::string end = relay.take(bob.conn);
  EXPECT_TRUE(end.ends_with("#\r\n")) << end.substr(0, 300);
}

TEST_F(RoomWireTest, R7701_1_Refusals_stand_on_the_wire) {
  const Seat alice = join("alice"), bob = join("bob");
  const auto answer = [&](const std::string& tid, const std::string& body,
                          const std::string& headers = "Message-ID: m\r\n") {
    relay.send(alice.conn, send_from(alice, tid, headers, body));
    return relay.take(alice.conn).substr(0, 13);
  };
  EXPECT_EQ(answer("tid1", wrapped(bob.who, "sip:chatroom22@chat.example.com", "x")), "MSRP tid1 403");
  EXPECT_EQ(answer("tid2", wrapped(alice.who, "sip:nobody@example.com", "x")), "MSRP tid2 404");
  EXPECT_EQ(answer("tid3", "what is this"), "MSRP tid3 400");
  EXPECT_EQ(answer("tid4", wrapped(bob.who, "sip:chatroom22@chat.example.com", "x"),
                   "Message-ID: m\r\nFailure-Report: no\r\n"),
            "");
  relay.send(alice.conn, "MSRP tid5 SEND\r\nTo-Path: " + alice.uri + "\r\nFrom-Path: " + alice.path +
                             "\r\nMessage-ID: m\r\nContent-Type: text/plain\r\n\r\nHello\r\n-------tid5$\r\n");
  EXPECT_EQ(relay.take(alice.conn).substr(0, 13), "MSRP tid5 415");
  EXPECT_EQ(relay.take(bob.conn), "");
}

}  // namespace
}  // namespace parley::testing
