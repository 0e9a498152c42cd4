// Whatever comes: the corpora of the fuzz targets, changed at random, into every door of the client.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/client/client_world.h"

namespace parley::tests {
namespace {

std::vector<std::string> corpus(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::string& name : names) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PARLEY_CORPUS) + "/" + name))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      std::ifstream file(path, std::ios::binary);
      all.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  EXPECT_GT(all.size(), 50U);
  return all;
}

std::string changed(std::string text, std::mt19937& random) {
  for (std::uint32_t i = random() % 4; i > 0 && !text.empty(); --i) {
    const std::size_t at = random() % text.size();
    switch (random() % 4) {
      case 0: text[at] = static_cast<char>(random()); break;
      case 1: text.erase(at, 1 + random() % 8); break;
      case 2: text.insert(at, text.substr(at, random() % 40)); break;
      default: text.resize(at); break;
    }
  }
  return text;
}

// A session stands, another one is being made, things are waited for.
struct Busy : ClientWorld {
  Busy() {
    step([&] { client().enrol(); });
    respond(next("REGISTER"), "200 OK", "Contact: <sip:alice@192.0.2.1:40000>;expires=100\r\n");
    receive(invite_text({.contact = "<sip:conf7@127.0.0.1:7000>;isfocus;+g.oma.sip-im"}));
    ok = next("SIP/2.0 200");
    receive(in_dialog(ok, "ACK", 1));
    step([&] { (void)client().open_session("sip:carol@example.org", {}, {}, true); });
    invite = next("INVITE");
  }
  std::string ok;
  std::string invite;
};

TEST(Hostile, sip_of_any_kind_is_survived) {
  std::mt19937 random(1);
  const auto texts = corpus({"sip_head_fuzz", "sip_service_fuzz", "sip_stream_fuzz", "sip_header_fuzz"});
  Busy world;
  for (const std::string& text : texts) {
    for (int i = 0; i < 3; ++i) world.receive(i == 0 ? text : changed(text, random));
    world.forget();
    world.events.clear();
  }
  world.pass(300s);
}

TEST(Hostile, bodies_and_headers_of_any_kind_in_messages_that_count) {
  std::mt19937 random(2);
  const auto texts = corpus(
      {"sip_sdp_fuzz", "sip_multipart_fuzz", "cpim_fuzz", "xml_tree_fuzz", "xml_documents_fuzz", "sip_contact_fuzz"});
  int cseq = 10;
  const char* types[] = {
      "application/sdp",  "multipart/mixed;boundary=b",   "message/cpim",   "application/conference-info+xml",
      "message/imdn+xml", "application/poc-settings+xml", "message/sipfrag"};
  Busy world;
  for (const std::string& original : texts) {
    const std::string text = changed(original, random);
    const std::string type = std::string("Content-Type: ") + types[random() % std::size(types)] + "\r\n";
    world.receive(in_dialog(world.ok, "MESSAGE", ++cseq, type, text));
    world.receive(in_dialog(world.ok, "UPDATE", ++cseq, type, text));
    world.receive(in_dialog(world.ok, "NOTIFY", ++cseq, type + "Event: refer\r\nSubscription-State: active\r\n", text));
    world.receive(in_dialog(world.ok, "INVITE", ++cseq, type, text));
    world.receive(in_dialog(world.ok, "ACK", cseq, type, text));
    std::string fresh = invite_text({.call = "f" + std::to_string(++cseq), .sdp = text});
    world.receive(fresh);
    if (cseq % 50 == 0) world.respond(world.invite, "180 Ringing", type, text, std::to_string(cseq));
    if (cseq % 100 == 0) world.pass(40s);
    world.forget();
    world.events.clear();
  }
}

TEST(Hostile, answers_of_any_kind) {
  std::mt19937 random(3);
  const auto texts = corpus({"sip_sdp_fuzz", "sip_contact_fuzz", "digest_fuzz"});
  for (const std::string& original : texts) {
    const std::string text = changed(original, random);
    std::string line = text;
    std::erase_if(line, [](char c) { return c == '\r' || c == '\n'; });
    Busy world;
    const char* statuses[] = {"200 OK", "302 Moved", "401 Who", "407 Who", "422 Small", "180 Ringing", "603 No"};
    world.respond(world.invite, statuses[random() % std::size(statuses)],
                  "Contact: " + line + "\r\nProxy-Authenticate: " + line + "\r\nWWW-Authenticate: " + line +
                      "\r\nMin-SE: " + line + "\r\nSession-Expires: " + line + "\r\nRecord-Route: " + line +
                      "\r\nContent-Type: application/sdp\r\n",
                  text);
    world.pass(1s);
  }
}

TEST(Hostile, msrp_of_any_kind_is_survived) {
  std::mt19937 random(4);
  const auto texts = corpus({"msrp_head_fuzz", "msrp_stream_fuzz", "msrp_uri_fuzz"});
  Busy world;
  const std::size_t at = world.ok.find("a=path:") + 7;
  const std::string own = world.ok.substr(at, world.ok.find("\r\n", at) - at);
  for (const std::string& original : texts) {
    const core::ConnId conn = world.media_comes();
    std::string text = changed(original, random);
    world.bytes(conn, text);
    // The same to our session.
    for (std::size_t from = 0; (from = text.find("To-Path: ", from)) != std::string::npos; from += 9) {
      const std::size_t end = std::min(text.find_first_of(" \r\n", from + 9), text.size());
      text.replace(from + 9, end - from - 9, own);
    }
    const core::ConnId other = world.media_comes();
    const std::size_t cut = text.empty() ? 0 : random() % text.size();
    world.bytes(other, text.substr(0, cut));
    world.bytes(other, text.substr(cut));
    world.media_closed(conn);
    world.media_closed(other);
    world.events.clear();
    world.forget();
  }
  world.pass(100s);
}

}  // namespace
}  // namespace parley::tests
