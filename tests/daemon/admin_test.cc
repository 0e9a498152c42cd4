// tests/daemon/admin_test.cc - the admin interface over real HTTP on loopback, with shards that are scripted.
#include "tools/parleyd/admin.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "policy/system_message.h"
#include "tools/parleyd/admin_json.h"
#include "tools/parleyd/admin_system.h"

namespace parley::parleyd {
namespace {

using Kind = core::AdminRequest::Kind;
using Level = core::LogRecord::Level;
using nlohmann::json;

class Backend : public AdminBackend {
 public:
  State state() override { return state_; }
  std::string metrics() override { return "# HELP x y\n# TYPE x gauge\nx 1\n"; }
  Gather::Answers ask_all(Kind kind, const std::string& argument) override {
    argument_ = argument;
    Gather::Answers answers;
    for (int shard = 0; shard < 2; ++shard) {
      if (shard == 1 && silent_) {
        answers.emplace_back();
      } else if (kind == Kind::list_rooms) {
        answers.emplace_back(R"([{"id":"5.1","kind":"ad-hoc"}])");
      } else if (kind == Kind::trace) {
        answers.emplace_back(shard == 0 ? "[]" : R"([{"room":"1-5.1","message_id":"m1"}])");
      } else if (kind == Kind::where) {
        const bool waits = argument == "a+b% c" && shard == 0;
        answers.emplace_back(std::string(R"({"waiting":)") + (waits ? R"([{"id":"9"}])" : "[]") + R"(,"sending":[],"passed":)" +
                             (argument != "a+b% c" ? "[]"
                              : shard == 0         ? R"([{"way":"stored","at_ms":9},{"way":"direct","at_ms":3}])"
                                                   : R"([{"way":"copy","at_ms":5}])") +
                             R"(,"rooms":[]})");
      } else if (kind == Kind::system_message) {
        answers.emplace_back(shard == 0 ? "{}" : R"({"id":"7"})");
      } else if (kind == Kind::list_system_messages) {
        answers.emplace_back(shard == 0 ? "[]" : R"([{"id":"7","state":"pending"}])");
      } else if (kind == Kind::close_system_message) {
        answers.emplace_back(shard == 1 && argument == "7" ? R"({"closed":true})" : R"({"closed":false})");
      } else if (kind == Kind::deferred_entries) {
        answers.emplace_back(shard == 0 ? "{}" : R"({"messages":[{"id":"9","status":"new"}]})");
      } else if (kind == Kind::deferred_list) {
        answers.emplace_back(argument == "nobody@elsewhere" ? R"({"error":"that is no user of ours"})"
                             : shard == 0                   ? "{}"
                                                            : R"({"etag":"e","entries":1,"document":"<x/>"})");
      } else if (kind == Kind::deferred_delete) {
        answers.emplace_back(shard == 0               ? "{}"
                             : argument == "alice 9" ? R"({"deleted":true})"
                                                     : R"({"deleted":false})");
      } else if (kind == Kind::history_entries) {
        answers.emplace_back(shard == 0 ? "{}" : R"({"records":[{"id":"9"}],"left_out":0})");
      } else if (kind == Kind::history_list) {
        answers.emplace_back(shard == 0 ? "{}" : R"({"etag":"e","records":1,"document":"<x/>"})");
      } else if (kind == Kind::history_delete) {
        answers.emplace_back(shard == 0                                            ? "{}"
                             : argument == "alice 9" || argument == "alice all" ? R"({"deleted":true,"records":1})"
                                                                                  : R"({"deleted":false,"records":0})");
      } else if (kind == Kind::summary) {
        answers.emplace_back(R"({"sessions":2,"connections":5})");
      } else {
        answers.emplace_back(R"([{"id":"17","user":"alice"}])");
      }
    }
    return answers;
  }
  std::optional<std::string> ask(std::uint32_t shard, Kind kind, const std::string& argument) override {
    if (shard > 1) return std::nullopt;
    argument_ = argument;
    const bool there = argument.starts_with("5.1");
    if (kind == Kind::show_room) return there ? R"({"room":{"id":"5.1"},"members":[{"id":"7.3"}]})" : "{}";
    if (kind == Kind::close_room) return there ? R"({"closed":true})" : R"({"closed":false})";
    if (kind == Kind::kick_member) return argument == "5.1 7.3" ? R"({"kicked":true})" : R"({"kicked":false})";
    return argument == "17" ? R"({"kicked":true})" : R"({"kicked":false})";
  }
  Level log_level() override { return level_; }
  void set_log_level(Level level) override { level_ = level; }
  void drain() override { state_ = State::draining; }
  std::optional<std::string> reload() override { return reload_; }
  std::string backup(std::string& file) override {
    file = "/var/lib/parley/backup-1";
    return backup_;
  }

  std::atomic<State> state_ = State::serving;
  std::atomic<Level> level_ = Level::info;
  std::atomic<bool> silent_ = false;
  std::string argument_;
  std::optional<std::string> reload_ = "";
  std::string backup_;
};

class Admin : public ::testing::Test {
 protected:
  void run(const std::string& token = "") {
    server_.emplace(AdminConfig{"127.0.0.1", 0, token}, backend_);
    ASSERT_EQ(server_->bind(), std::nullopt);
    ASSERT_NE(server_->port(), 0);
    server_->start();
    client_.emplace("127.0.0.1", server_->port());
  }

  Backend backend_;
  std::optional<AdminServer> server_;
  std::optional<httplib::Client> client_;
};

TEST_F(Admin, probes_follow_the_state) {
  run();
  EXPECT_EQ(client_->Get("/livez")->status, 200);
  EXPECT_EQ(client_->Get("/readyz")->status, 200);
  EXPECT_EQ(client_->Post("/api/v1/drain", "", "text/plain")->status, 202);
  EXPECT_EQ(client_->Get("/readyz")->status, 503);
  backend_.silent_ = true;
  EXPECT_EQ(client_->Get("/livez")->status, 503);
}

TEST_F(Admin, metrics_have_the_content_type_that_prometheus_wants) {
  run();
  const auto result = client_->Get("/metrics");
  EXPECT_EQ(result->get_header_value("Content-Type").rfind("text/plain; version=0.0.4", 0), 0U);
  EXPECT_NE(result->body.find("x 1"), std::string::npos);
}

TEST_F(Admin, sessions_carry_handles_that_kick_takes) {
  run();
  const json list = json::parse(client_->Get("/api/v1/sessions?limit=5")->body);
  EXPECT_EQ(backend_.argument_, "5");
  ASSERT_EQ(list["sessions"].size(), 2U);
  EXPECT_EQ(list["sessions"][1]["id"], "1-17");
  EXPECT_EQ(list["sessions"][1]["user"], "alice");
  EXPECT_EQ(client_->Post("/api/v1/sessions/1-17/kick", "", "text/plain")->status, 200);
  EXPECT_EQ(client_->Post("/api/v1/sessions/1-18/kick", "", "text/plain")->status, 404);
  EXPECT_EQ(client_->Post("/api/v1/sessions/9-17/kick", "", "text/plain")->status, 404);
  EXPECT_EQ(client_->Post("/api/v1/sessions/x/kick", "", "text/plain")->status, 404);
  EXPECT_EQ(client_->Get("/api/v1/sessions?limit=x")->status, 400);
}

TEST_F(Admin, rooms_carry_ids_that_room_kick_and_close_take) {
  run();
  const json list = json::parse(client_->Get("/api/v1/rooms?limit=5")->body);
  EXPECT_EQ(backend_.argument_, "5");
  ASSERT_EQ(list["rooms"].size(), 2U);
  EXPECT_EQ(list["rooms"][1]["id"], "1-5.1");
  const json room = json::parse(client_->Get("/api/v1/rooms/1-5.1?limit=20")->body);
  EXPECT_EQ(backend_.argument_, "5.1 20");
  EXPECT_EQ(room["room"]["id"], "1-5.1");
  EXPECT_EQ(room["members"][0]["id"], "7.3");
  const auto post = [this](const char* path) { return client_->Post(path, "", "text/plain")->status; };
  EXPECT_EQ(post("/api/v1/rooms/1-5.1/members/7.3/kick"), 200);
  EXPECT_EQ(post("/api/v1/rooms/1-5.1/members/7.1/kick"), 404);
  EXPECT_EQ(post("/api/v1/rooms/1-5.1/close"), 200);
  EXPECT_EQ(post("/api/v1/rooms/1-6.1/close"), 404);
  EXPECT_EQ(post("/api/v1/rooms/9-5.1/close"), 404);
  for (const char* path : {"/api/v1/rooms/1-6.1", "/api/v1/rooms/9-5.1", "/api/v1/rooms/1-51", "/api/v1/rooms/x"}) {
    EXPECT_EQ(client_->Get(path)->status, 404) << path;
  }
  EXPECT_EQ(client_->Get("/api/v1/rooms?limit=x")->status, 400);
  EXPECT_EQ(client_->Get("/api/v1/rooms/1-5.1?limit=")->status, 400);
}

TEST_F(Admin, a_message_is_looked_for_by_its_id) {
  run();
  const json list = json::parse(client_->Get("/api/v1/trace?message-id=a%2Bb%25%20c")->body);
  EXPECT_EQ(backend_.argument_, "a+b% c");
  EXPECT_EQ(list["messages"], json::parse(R"([{"room":"1-5.1","message_id":"m1"}])"));
  EXPECT_EQ(client_->Get("/api/v1/trace")->status, 400);
  EXPECT_EQ(client_->Get("/api/v1/trace?message-id=" + std::string(129, 'x'))->status, 400);
}

TEST_F(Admin, where_a_message_is_is_put_together_from_all_shards) {
  run();
  const auto result = client_->Get("/api/v1/where?message-id=a%2Bb%25%20c");
  EXPECT_EQ(result->status, 200);
  const json found = json::parse(result->body);
  EXPECT_EQ(found["message_id"], "a+b% c");
  ASSERT_EQ(found["waiting"].size(), 1U);
  EXPECT_EQ(found["waiting"][0]["shard"], 0);
  ASSERT_EQ(found["passed"].size(), 3U);
  EXPECT_EQ(found["passed"][0]["way"], "direct") << "the oldest first, whatever its shard";
  EXPECT_EQ(found["passed"][1]["way"], "copy");
  EXPECT_EQ(found["passed"][1]["shard"], 1);
  EXPECT_EQ(found["passed"][2]["way"], "stored");
  EXPECT_TRUE(found["silent_shards"].empty());
  const auto unknown = client_->Get("/api/v1/where?message-id=other");
  EXPECT_EQ(unknown->status, 404);
  EXPECT_EQ(json::parse(unknown->body)["error"].get<std::string>().rfind("no such message: ", 0), 0U);
  EXPECT_EQ(client_->Get("/api/v1/where")->status, 400);
  EXPECT_EQ(client_->Get("/api/v1/where?message-id=" + std::string(513, 'x'))->status, 400);
  backend_.silent_ = true;
  EXPECT_EQ(client_->Get("/api/v1/where?message-id=other")->status, 503) << "the shard that says nothing may have it";
  const json part = json::parse(client_->Get("/api/v1/where?message-id=a%2Bb%25%20c")->body);
  EXPECT_EQ(part["silent_shards"], json::array({1}));
  EXPECT_EQ(part["passed"].size(), 2U);
}

TEST_F(Admin, a_backup_says_where_it_is_or_why_there_is_none) {
  run();
  auto said = client_->Post("/api/v1/backup", "", "text/plain");
  ASSERT_TRUE(said);
  EXPECT_EQ(said->status, 200);
  EXPECT_EQ(said->body, "{\"directory\":\"/var/lib/parley/backup-1\"}\n");
  backend_.backup_ = "there is no store";
  said = client_->Post("/api/v1/backup", "", "text/plain");
  ASSERT_TRUE(said);
  EXPECT_EQ(said->status, 409);
  EXPECT_NE(said->body.find("there is no store"), std::string::npos);
}

TEST_F(Admin, OMA_DEF_10_what_waits_for_a_user_is_asked_of_his_shard) {
  run();
  const json list = json::parse(client_->Get("/api/v1/deferred?user=alice")->body);
  EXPECT_EQ(list["messages"][0]["id"], "9");
  EXPECT_EQ(json::parse(client_->Get("/api/v1/deferred/document?user=sip%3Aalice%40example.org")->body)["document"], "<x/>");
  EXPECT_EQ(backend_.argument_, "sip:alice@example.org");
  EXPECT_EQ(client_->Get("/api/v1/deferred/document?user=nobody%40elsewhere")->status, 409);
  EXPECT_EQ(client_->Get("/api/v1/deferred")->status, 400);
  EXPECT_EQ(client_->Get("/api/v1/deferred?user=a%20b")->status, 400);
  EXPECT_EQ(client_->Post("/api/v1/deferred/9/delete?user=alice")->body, "{\"deleted\":\"9\"}\n");
  EXPECT_EQ(client_->Post("/api/v1/deferred/8/delete?user=alice")->status, 404);
  EXPECT_EQ(client_->Post("/api/v1/deferred/x/delete?user=alice")->status, 404);
  backend_.silent_ = true;
  EXPECT_EQ(client_->Get("/api/v1/deferred?user=alice")->status, 503);
}

TEST_F(Admin, OMA_HIS_5_histories_are_listed_and_deleted) {
  run();
  EXPECT_EQ(json::parse(client_->Get("/api/v1/history?user=alice")->body)["records"][0]["id"], "9");
  EXPECT_EQ(json::parse(client_->Get("/api/v1/history/document?user=alice")->body)["document"], "<x/>");
  EXPECT_EQ(client_->Get("/api/v1/history")->status, 400);
  EXPECT_EQ(json::parse(client_->Post("/api/v1/history/9/delete?user=alice")->body)["records"], 1);
  EXPECT_EQ(backend_.argument_, "alice 9");
  EXPECT_EQ(client_->Post("/api/v1/history/8/delete?user=alice")->status, 404);
  EXPECT_EQ(client_->Post("/api/v1/history/all/delete?user=alice")->status, 200);
  EXPECT_EQ(client_->Post("/api/v1/history/all/delete?user=bob")->status, 200) << "he has none";
  EXPECT_EQ(client_->Post("/api/v1/history/x/delete?user=alice")->status, 404);
  EXPECT_EQ(client_->Post("/api/v1/history/9/delete?user=a%20b")->status, 400);
  backend_.silent_ = true;
  EXPECT_EQ(client_->Get("/api/v1/history?user=alice")->status, 503);
  EXPECT_EQ(client_->Post("/api/v1/history/all/delete?user=alice")->status, 503);
}

TEST_F(Admin, a_system_message_goes_to_the_shard_of_its_user) {
  run();
  const auto post = [this](const std::string& path, const std::string& body = "") {
    return client_->Post("/api/v1/system-messages" + path, body, "application/json");
  };
  const auto done = post("", R"({"user":"alice","text":"a\"b","language":"en","answer_within":"2h","options":[{"id":"y","text":"Y"}]})");
  EXPECT_EQ(done->status, 201);
  EXPECT_EQ(done->body, "{\"id\":\"7\"}\n");
  const policy::SystemMessageOrder wanted{
      .user = "alice", .text = "a\"b", .language = "en", .answer_within_s = 7200, .options = {{"y", "Y"}}};
  EXPECT_EQ(policy::read_order(backend_.argument_), wanted);
  backend_.silent_ = true;
  EXPECT_EQ(post("", R"({"user":"alice","text":"x"})")->status, 503);
  backend_.silent_ = false;
  const json list = json::parse(client_->Get("/api/v1/system-messages?limit=5")->body);
  EXPECT_EQ(backend_.argument_, "5");
  EXPECT_EQ(list["messages"], json::parse(R"([{"id":"7","state":"pending"}])"));
  EXPECT_EQ(client_->Get("/api/v1/system-messages?limit=x")->status, 400);
  EXPECT_EQ(post("/7/close")->status, 200);
  EXPECT_EQ(post("/8/close")->status, 404);
}

TEST_F(Admin, a_system_message_that_is_none_says_why) {
  run();
  const auto why = [this](const std::string& body) {
    const auto refused = client_->Post("/api/v1/system-messages", body, "application/json");
    EXPECT_EQ(refused->status, 400) << body;
    return json::parse(refused->body)["error"].get<std::string>();
  };
  for (const char* body : {"", "[]", "x", R"({"user":1,"text":"x"})", R"({"user":"a","text":["x"]})"}) {
    EXPECT_TRUE(why(body).starts_with("send an object")) << body;
  }
  for (const char* time : {"1", "0s", "-1h", "366d", "soon"}) {
    EXPECT_TRUE(why(R"({"user":"a","text":"x","answer_within":")" + std::string(time) + "\"}").starts_with("answer_within is"));
  }
  for (const char* options : {"1", "[1]", R"([{"id":1}])", R"({"id":"a"})"}) {
    EXPECT_TRUE(why(R"({"user":"a","text":"x","options":)" + std::string(options) + "}").starts_with("options is")) << options;
  }
  EXPECT_EQ(why(R"({"user":"a","text":""})"), "there is no text");
}

TEST(AdminSystem, the_answer_is_that_of_the_shard_that_has_the_user) {
  EXPECT_EQ(order_answer({"{}", R"({"error":"no"})"}).status, 409);
  EXPECT_EQ(order_answer({"{}", R"({"id":"7"})"}).json, "{\"id\":\"7\"}\n");
  EXPECT_EQ(order_answer({std::nullopt, R"({"id":"7"})"}).status, 201);
  EXPECT_NE(order_answer({"{}", std::nullopt}).json.find("does not answer"), std::string::npos);
  EXPECT_NE(order_answer({"{}", "{}"}).json.find("no shard serves users"), std::string::npos);
}

TEST_F(Admin, a_reload_says_why_it_was_refused) {
  run();
  const auto post = [this] { return client_->Post("/api/v1/reload", "", "text/plain"); };
  EXPECT_EQ(post()->status, 200);
  backend_.reload_ = "--users-file: line 3";
  const auto refused = post();
  EXPECT_EQ(refused->status, 409);
  EXPECT_EQ(json::parse(refused->body)["error"], "--users-file: line 3");
  backend_.reload_ = std::nullopt;
  EXPECT_EQ(post()->status, 503);
}

TEST_F(Admin, a_shard_that_does_not_answer_is_named) {
  run();
  backend_.silent_ = true;
  const json summary = json::parse(client_->Get("/api/v1/summary")->body);
  EXPECT_EQ(summary["silent_shards"], json::array({1}));
  EXPECT_EQ(summary["total"]["connections"], 5);
  backend_.silent_ = false;
  EXPECT_EQ(json::parse(client_->Get("/api/v1/summary")->body)["total"]["connections"], 10);
}

TEST_F(Admin, the_log_level_can_be_changed) {
  run();
  EXPECT_EQ(client_->Put("/api/v1/log-level", "debug\n", "text/plain")->status, 200);
  EXPECT_EQ(backend_.level_, Level::debug);
  EXPECT_EQ(client_->Put("/api/v1/log-level", "loud", "text/plain")->status, 400);
  EXPECT_EQ(json::parse(client_->Get("/api/v1/log-level")->body)["level"], "debug");
}

TEST_F(Admin, a_token_is_asked_for_except_by_probes) {
  run("0123456789abcdef");
  EXPECT_EQ(client_->Get("/livez")->status, 200);
  EXPECT_EQ(client_->Get("/metrics")->status, 401);
  client_->set_bearer_token_auth("0123456789abcdeX");
  EXPECT_EQ(client_->Get("/metrics")->status, 401);
  client_->set_bearer_token_auth("0123456789abcdef");
  EXPECT_EQ(client_->Get("/metrics")->status, 200);
}

TEST_F(Admin, web_pages_are_refused) {
  run();
  EXPECT_EQ(client_->Post("/api/v1/drain", {{"Origin", "https://evil.example"}}, "", "text/plain")->status, 403);
  EXPECT_EQ(client_->Get("/metrics", {{"Host", "evil.example"}})->status, 403);
  EXPECT_EQ(backend_.state_, AdminBackend::State::serving);
}

TEST_F(Admin, unknown_paths_and_large_bodies_are_refused) {
  run();
  EXPECT_EQ(client_->Get("/api/v1/nothing")->status, 404);
  EXPECT_EQ(client_->Put("/api/v1/log-level", std::string(100'000, 'x'), "text/plain")->status, 413);
}

TEST_F(Admin, a_taken_port_is_an_error) {
  run();
  AdminServer second(AdminConfig{"127.0.0.1", server_->port(), ""}, backend_);
  EXPECT_NE(second.bind(), std::nullopt);
}

TEST(Gather, answers_come_back_by_shard_and_late_ones_find_nobody) {
  std::vector<std::uint64_t> ids;
  Gather* self = nullptr;
  Gather gather(3, [&](std::uint32_t shard, core::AdminRequest request) {
    ids.push_back(request.id);
    if (shard == 2) return false;
    if (shard == 0) self->answer(request.id, "zero:" + request.argument);
    return true;
  });
  self = &gather;
  const auto answers = gather.ask_all(Kind::summary, "x", std::chrono::milliseconds(1));
  EXPECT_EQ(answers[0], "zero:x");
  EXPECT_EQ(answers[1], std::nullopt);
  EXPECT_EQ(answers[2], std::nullopt);
  gather.answer(ids[1], "late");
  EXPECT_EQ(gather.ask(7, Kind::summary, "", std::chrono::milliseconds(1)), std::nullopt);
}

TEST(Gather, waits_for_answers_from_other_threads) {
  std::vector<std::thread> threads;
  Gather* self = nullptr;
  Gather gather(2, [&](std::uint32_t, core::AdminRequest request) {
    threads.emplace_back([&self, request] { self->answer(request.id, request.argument); });
    return true;
  });
  self = &gather;
  const auto answers = gather.ask_all(Kind::summary, "both", std::chrono::seconds(60));
  EXPECT_EQ(answers, (Gather::Answers{"both", "both"}));
  for (auto& thread : threads) thread.join();
}

TEST(AdminJson, text_that_is_not_utf8_does_not_end_the_answer) {
  const std::string list = sessions_json({std::string("[{\"id\":1,\"user\":\"a\\u0007\"}]"), std::string("\xff")});
  EXPECT_TRUE(json::accept(list));
  EXPECT_EQ(json::parse(list)["silent_shards"], json::array({1}));
}

}  // namespace
}  // namespace parley::parleyd
