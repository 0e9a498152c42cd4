// The conversation in a terminal: which lines go where, what is said of those that go nowhere.
#include "tools/parley/chat.h"

#include "tests/client/client_world.h"

namespace parley::tests {
namespace {

using namespace client;

struct Chatting : ClientWorld {
  explicit Chatting(std::vector<std::string> to = {}, bool registered = true) {
    Settings settings;
    settings.command = Settings::Command::chat;
    settings.to = std::move(to);
    job = make_chat(settings);
    step([&] { job->start(client(), now()); });
    if (!registered) return;
    respond(next("REGISTER"), "200 OK", "Contact: <sip:alice@192.0.2.1:40000>;expires=100\r\n");
    hear();
  }
  void hear() {
    while (!events.empty()) {
      const std::vector<Event> heard = std::exchange(events, {});
      step([&] {
        for (const Event& event : heard) job->on_event(client(), event);
      });
    }
  }
  void type(const std::optional<std::string>& line) {
    step([&] { job->on_line(client(), line); });
    hear();
  }
  // The peer's response to that SEND.
  void answer(core::ConnId conn, const std::string& said, const std::string& status) {
    const std::string tid = said.substr(5, said.find(' ', 5) - 5);
    bytes(conn, "MSRP " + tid + " " + status + "\r\nTo-Path: " + field(said, "From-Path") +
                    "\r\nFrom-Path: " + field(said, "To-Path") + "\r\n-------" + tid + "$\r\n");
    hear();
  }
  void hear_of(const Event& event) {
    step([&] { job->on_event(client(), event); });
  }
  // bob invites.
  core::ConnId called() {
    receive(invite_text());
    const std::string ok = next("SIP/2.0 200");
    receive(in_dialog(ok, "ACK", 1));
    const core::ConnId conn = media_up();
    hear();
    return conn;
  }
  std::unique_ptr<Job> job;
};

TEST(Chat, lines_for_one_who_has_gone_are_for_nobody_else) {
  Chatting world({"sip:carol@example.org"});
  const std::string invite = world.next("INVITE");
  world.type("early");
  EXPECT_EQ(world.job->take_complaint(), "");
  world.respond(invite, "486 Busy Here");
  world.hear();
  EXPECT_NE(world.job->take_complaint().find("1 line not sent"), std::string::npos);
  world.type("late");
  EXPECT_NE(world.job->take_complaint().find("there is no session"), std::string::npos);
  const core::ConnId conn = world.called();
  world.type("hello bob");
  const std::string said = world.written(conn);
  EXPECT_NE(said.find("hello bob"), std::string::npos);
  EXPECT_EQ(said.find("early"), std::string::npos);
  EXPECT_EQ(said.find("late"), std::string::npos);
}

TEST(Chat, lines_wait_for_the_session_that_is_being_made) {
  Chatting world({"sip:bob@example.org"});
  world.type("hello");
  world.respond(world.next("INVITE"), "200 OK",
                "Contact: <sip:bob@127.0.0.1:7000>\r\nAllow: INVITE, BYE\r\nContent-Type: application/sdp\r\n",
                chat_sdp());
  const core::ConnId conn = world.media_up();
  world.hear();
  EXPECT_NE(world.written(conn).find("hello"), std::string::npos);
}

TEST(Chat, lines_for_one_who_rings_are_not_for_who_is_called_next) {
  Chatting world({"sip:carol@example.org"});
  world.respond(world.next("INVITE"), "180 Ringing");
  world.type("secret");
  world.type("more");
  world.type("/call sip:bob@example.org");
  EXPECT_EQ(world.job->take_complaint(), "parley: 2 lines not sent\n");
  world.type("hello bob");
  world.respond(world.next("INVITE sip:bob@"), "200 OK",
                "Contact: <sip:bob@127.0.0.1:7000>\r\nAllow: INVITE, BYE\r\nContent-Type: application/sdp\r\n",
                chat_sdp());
  const core::ConnId conn = world.media_up();
  world.hear();
  const std::string said = world.written(conn);
  EXPECT_NE(said.find("hello bob"), std::string::npos);
  EXPECT_EQ(said.find("secret"), std::string::npos);
}

TEST(Chat, lines_for_one_who_rings_are_not_for_who_invites) {
  for (const char* how : {"/session 2", "/accept 2"}) {
    Chatting world({"sip:carol@example.org"});
    world.respond(world.next("INVITE"), "180 Ringing");
    world.type("secret");
    const core::ConnId conn = world.called();
    EXPECT_EQ(world.job->take_complaint(), "");
    world.type(how);
    EXPECT_EQ(world.job->take_complaint(), "parley: 1 line not sent\n") << how;
    world.type("hello bob");
    const std::string said = world.written(conn);
    EXPECT_NE(said.find("hello bob"), std::string::npos) << how;
    EXPECT_EQ(said.find("secret"), std::string::npos) << how;
  }
}

TEST(Chat, lines_before_the_registration_are_for_whom_the_user_has_named) {
  Chatting world({"sip:carol@example.org"}, false);
  const std::string enrol = world.next("REGISTER");
  world.type("for carol");
  const core::ConnId bob = world.called();
  EXPECT_EQ(world.written(bob).find("for carol"), std::string::npos);
  world.respond(enrol, "200 OK", "Contact: <sip:alice@192.0.2.1:40000>;expires=100\r\n");
  world.hear();
  world.respond(world.next("INVITE sip:carol@"), "200 OK",
                "Contact: <sip:carol@127.0.0.1:7000>\r\nAllow: INVITE, BYE\r\nContent-Type: application/sdp\r\n",
                chat_sdp());
  const core::ConnId carol = world.media_up();
  world.hear();
  EXPECT_NE(world.written(carol).find("for carol"), std::string::npos);
  EXPECT_EQ(world.job->take_complaint(), "");
}

TEST(Chat, who_is_in_the_session_that_is_talked_in) {
  Chatting world({"sip:carol@example.org"});
  (void)world.called();
  const auto shown = [&](const std::string& line) {
    (void)world.job->take_output();
    world.type(line);
    return world.job->take_output();
  };
  world.hear_of(Event("roster").number("session", 1).list("users", {"sip:x@example.org", "sip:carol@example.org"}));
  EXPECT_EQ(shown("/who"), "  sip:x@example.org\n  sip:carol@example.org\n");
  (void)shown("/session 2");
  EXPECT_EQ(shown("/who"), "  sip:bob@example.org\n");
  (void)shown("/session 1");
  EXPECT_EQ(shown("/who"), "  sip:x@example.org\n  sip:carol@example.org\n");
}

TEST(Chat, nobody_talks_in_the_session_of_a_file) {
  Chatting world;
  world.receive(invite_text({.sdp = chat_sdp("a=setup:actpass\r\na=sendonly\r\na=file-selector:name:\"x\" "
                                             "type:text/plain size:3\r\na=file-transfer-id:1\r\n")}));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  world.hear();
  world.type("hello");
  EXPECT_NE(world.job->take_complaint().find("there is no session"), std::string::npos);
}

TEST(Chat, commands_that_can_not_be_are_explained) {
  Chatting world;
  const auto said = [&](const std::string& line) {
    world.type(line);
    return world.job->take_complaint();
  };
  EXPECT_EQ(said("/add"), "parley: this is /add URI ...\n");
  EXPECT_EQ(said("/add sip:carol@example.org"), "parley: there is no such session\n");
  EXPECT_EQ(said("/session 7"), "parley: there is no such session\n");
  EXPECT_EQ(said("/who"), "parley: there is no such session\n");
  EXPECT_EQ(said("/msg bob hi"), "parley: 'bob' is no URI, like sip:NAME@DOMAIN\n");
  EXPECT_EQ(said("/call sip:bob@example.org\x1b"), "parley: 'sip:bob@example.org?' is no URI, like sip:NAME@DOMAIN\n");
  EXPECT_EQ(said("/dance"), "parley: no such command: /dance; see /help\n");
  EXPECT_TRUE(world.quiet());
  (void)world.called();
  EXPECT_EQ(said("/add carol"), "parley: 'carol' is no URI, like sip:NAME@DOMAIN\n");
  EXPECT_EQ(said("/who"), "");
  EXPECT_NE(world.job->take_output().find("  sip:bob@example.org\n"), std::string::npos);
}

TEST(Chat, somebody_else_is_called) {
  Chatting world;
  world.type("/call sip:carol@example.org");
  EXPECT_TRUE(world.next("INVITE").starts_with("INVITE sip:carol@example.org "));
}

TEST(Chat, each_mark_of_a_message_is_shown_once) {
  Chatting world;
  (void)world.job->take_output();
  const auto mark = [&](std::uint64_t ticket, const std::string& status, const std::string& by) {
    world.hear_of(
        Event("delivery").number("ticket", ticket).text("status", status).text("by", by).text("recipient", "sip:b@x"));
    return world.job->take_output();
  };
  EXPECT_EQ(mark(5, "delivered", "report"), "  [delivered]\n");
  EXPECT_EQ(mark(5, "delivered", "imdn"), "");
  EXPECT_EQ(mark(5, "displayed", "imdn"), "  [displayed]\n");
  EXPECT_EQ(mark(5, "displayed", "imdn"), "");
  EXPECT_EQ(mark(6, "delivered", "imdn"), "  [delivered]\n");
  EXPECT_EQ(mark(6, "failed", "imdn"), "  [not delivered: failed, sip:b@x]\n");
}

TEST(Chat, a_roster_is_shown_when_somebody_has_come_or_gone) {
  Chatting world;
  (void)world.called();
  (void)world.job->take_output();
  const auto shown = [&](std::vector<std::string> users) {
    world.hear_of(Event("roster").number("session", 1).list("users", std::move(users)));
    return world.job->take_output();
  };
  EXPECT_EQ(shown({"sip:a@x", "sip:b@x"}), "* in session 1: sip:a@x sip:b@x\n");
  EXPECT_EQ(shown({"sip:a@x", "sip:b@x"}), "");
  EXPECT_EQ(shown({"sip:a@x"}), "* in session 1: sip:a@x\n");
}

TEST(Chat, with_the_last_line_and_the_last_session_it_is_over) {
  Chatting world;
  world.receive(invite_text());
  world.hear();
  const std::string ok = world.next("SIP/2.0 200");
  world.receive(in_dialog(ok, "ACK", 1));
  world.hear();
  world.type("hello");
  world.type(std::nullopt);
  EXPECT_FALSE(world.job->status()) << "it waits for the session";
  world.receive(in_dialog(ok, "BYE", 2));
  world.hear();
  EXPECT_EQ(world.job->take_complaint(), "parley: 1 line not sent\n");
  EXPECT_EQ(world.job->status(), exit_refused);
}

TEST(Chat, a_registration_that_is_not_refreshed_takes_no_message_away) {
  for (const bool last_line_first : {true, false}) {
    Chatting world({"sip:bob@example.org"});
    world.respond(world.next("INVITE"), "200 OK",
                  "Contact: <sip:bob@127.0.0.1:7000>\r\nAllow: INVITE, BYE\r\nContent-Type: application/sdp\r\n",
                  chat_sdp());
    const core::ConnId conn = world.media_up();
    world.hear();
    world.pass(79s);
    world.type("hello");
    const std::string said = world.written(conn);
    if (last_line_first) world.type(std::nullopt);
    world.pass(2s);
    world.respond(world.next("REGISTER"), "503 Away");
    world.hear();
    if (!last_line_first) world.type(std::nullopt);
    EXPECT_FALSE(world.job->status()) << "its message is under way";
    world.answer(conn, said, "200 OK");
    EXPECT_NE(world.next("BYE"), "");
    EXPECT_EQ(world.job->status(), exit_done);
  }
}

TEST(Chat, what_was_not_taken_is_in_the_exit_status) {
  Chatting world;
  const core::ConnId conn = world.called();
  world.type("hello");
  const std::string said = world.written(conn);
  world.type(std::nullopt);
  world.answer(conn, said, "413 Enough");
  EXPECT_NE(world.next("BYE"), "");
  EXPECT_EQ(world.job->status(), exit_refused);
}

TEST(Chat, what_was_never_sent_is_in_the_exit_status) {
  for (const char* const last : {"/quit", "/msg nobody hello", "/msg"}) {
    Chatting world({"sip:bob@example.org"});
    const bool quits = std::string(last) == "/quit";
    if (quits) world.type("hello");
    world.type(last);
    EXPECT_NE(world.job->take_complaint(), "") << last;
    if (!quits) world.type("/quit");
    EXPECT_EQ(world.job->status(), exit_refused) << last;
  }
  Chatting idle({"sip:bob@example.org"});
  idle.type("/quit");
  EXPECT_EQ(idle.job->status(), exit_done);
}

TEST(Chat, a_last_line_that_goes_on_in_none_is_taken_as_any_other) {
  Chatting world;
  const core::ConnId conn = world.called();
  world.type("//one\\");
  world.type("two\\");
  world.type(std::nullopt);
  EXPECT_NE(world.written(conn).find("\r\n\r\n/one\ntwo\r\n---"), std::string::npos);
  Chatting other;
  const core::ConnId quiet = other.called();
  other.type("/msg nobody secret\\");
  other.type(std::nullopt);
  EXPECT_NE(other.job->take_complaint(), "");
  EXPECT_EQ(other.written(quiet).find("secret"), std::string::npos);
}

TEST(Chat, without_a_server_the_end_of_all_lines_is_the_end) {
  for (const bool before : {true, false}) {
    Chatting world({"sip:bob@example.org"}, false);
    if (before) world.type(std::nullopt);
    world.pass(33s);
    world.hear();
    if (!before) {
      EXPECT_FALSE(world.job->status()) << "it may come back";
      world.type(std::nullopt);
    }
    EXPECT_EQ(world.job->status(), exit_unreachable);
  }
}

}  // namespace
}  // namespace parley::tests
