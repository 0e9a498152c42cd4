// tools/parley-load/main.cc - the command line of the load generator.
#include <CLI/CLI.hpp>

#include "tools/parley-load/chat.h"
#include "tools/parley-load/deferred.h"
#include "tools/parley-load/relay.h"
#include "tools/parley-load/sip.h"

int main(int argc, char** argv) {
  CLI::App app{"parley-load: load generator for MSRP relays, SIP servers and chat rooms"};
  app.require_subcommand(1);
  parley::load::Options relay_options;
  CLI::App* relay = app.add_subcommand(
      "relay",
      "pairs of a sender and a receiver behind a relay (RFC 4976); every body is verified, order and loss are checked");
  parley::load::add_relay_flags(*relay, relay_options);
  parley::load::SipOptions sip_options;
  CLI::App* sip = app.add_subcommand(
      "sip",
      "registrations, messages, calls and OPTIONS (RFC 3261, RFC 3428); every body is verified, loss is checked");
  parley::load::add_sip_flags(*sip, sip_options);
  parley::load::SipOptions pager_options;
  CLI::App* pager = app.add_subcommand(
      "pager",
      "MESSAGEs to one, to lists and to groups (RFC 3428, RFC 5365, OMA SIMPLE IM); each must be answered, and must come once, "
      "whole, to each it was for");
  parley::load::add_pager_flags(*pager, pager_options);
  parley::load::ChatOptions chat_options;
  CLI::App* chat = app.add_subcommand(
      "chat", "rooms and their members (RFC 7701); every message is checked at every member: once, whole and in order");
  parley::load::add_chat_flags(*chat, chat_options);
  parley::load::DeferredOptions deferred_options;
  CLI::App* deferred = app.add_subcommand(
      "deferred", "messages for users who are away, who then all come back at one time (RFC 3428); each must come once and in order");
  parley::load::add_deferred_flags(*deferred, deferred_options);
  CLI11_PARSE(app, argc, argv);
  if (deferred->parsed()) return parley::load::run_deferred(std::move(deferred_options));
  if (pager->parsed()) {
    pager_options.duration_given = pager->count("--duration") > 0;
    return parley::load::run_sip(std::move(pager_options));
  }
  if (chat->parsed()) return parley::load::run_chat(std::move(chat_options));
  if (sip->parsed()) {
    sip_options.duration_given = sip->count("--duration") > 0;
    return parley::load::run_sip(std::move(sip_options));
  }
  relay_options.duration_given = relay->count("--duration") > 0;
  return parley::load::run_relay(std::move(relay_options));
}
