// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.StateHandler.Description;
import io.vfio4j.stream.Message;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What handlers are called and are, as HELLO says it, and whether two sides' fit. */
final class Offers {
    private Offers() {}

    /** Refuses a number of handlers that no HELLO has room for. */
    static void requireCount(List<KnownHandler> handlers) throws MigrationException {
        if (handlers.isEmpty() || handlers.size() > Message.Hello.MAX_OFFERS) {
            throw new MigrationException(
                    Reason.DEVICE,
                    "a migration has 1 to " + Message.Hello.MAX_OFFERS + " handlers, not " + handlers.size());
        }
    }

    /** Makes the source's offers, which also checks the handlers' names and descriptions. */
    static List<Message.Offer> of(List<KnownHandler> handlers) throws MigrationException {
        Set<String> names = new HashSet<>();
        List<Message.Offer> offers = new ArrayList<>();
        for (KnownHandler handler : handlers) {
            if (!names.add(handler.name())) {
                throw new MigrationException(Reason.DEVICE, handler.name() + ": two handlers have this name");
            }
            Description description = handler.description();
            requireFits(handler.name(), description);
            offers.add(new Message.Offer(
                    handler.name(), description.kind(), description.version(), description.attributes()));
        }
        return offers;
    }

    private static void requireFits(String name, Description description) throws MigrationException {
        Stream<String> attributes = description.attributes().entrySet().stream()
                .flatMap(attribute -> Stream.of(attribute.getKey(), attribute.getValue()));
        boolean tooLong = Stream.concat(Stream.of(name, description.kind()), attributes)
                .anyMatch(text -> text.getBytes(StandardCharsets.UTF_8).length > Description.MAX_LENGTH);
        if (tooLong || description.attributes().size() > Description.MAX_ATTRIBUTES || name.isEmpty()) {
            throw new MigrationException(
                    Reason.DEVICE,
                    name + ": a handler is described by texts of 1 to " + Description.MAX_LENGTH + " bytes, with up to "
                            + Description.MAX_ATTRIBUTES + " attributes");
        }
    }

    /** Finds the handler for each offer, in the offers' order. */
    static List<KnownHandler> match(List<Message.Offer> offers, List<KnownHandler> handlers) {
        return offers.stream()
                .flatMap(offer ->
                        handlers.stream().filter(handler -> handler.name().equals(offer.name())))
                .toList();
    }

    /** Why the offers are not for just these handlers, or null. */
    static @Nullable String mismatch(List<Message.Offer> offers, List<KnownHandler> handlers) {
        List<String> offered = offers.stream().map(Message.Offer::name).toList();
        List<String> here = handlers.stream().map(KnownHandler::name).toList();
        List<String> lacking = Stream.concat(
                        offered.stream().filter(name -> !here.contains(name)).map(name -> name + " is missing here"),
                        here.stream()
                                .filter(name -> !offered.contains(name))
                                .map(name -> name + " is missing at the source"))
                .toList();
        if (!lacking.isEmpty()) {
            return String.join(", ", lacking);
        }
        return new HashSet<>(offered).size() == offered.size()
                ? null
                : "the source offers one name twice: " + String.join(", ", offered);
    }

    /** Lets a handler compare the offer of its name. */
    static void compare(List<Message.Offer> offers, KnownHandler handler) {
        offers.stream()
                .filter(offer -> offer.name().equals(handler.name()))
                .forEach(offer -> handler.compare(new Description(offer.kind(), offer.version(), offer.attributes())));
    }

    /** Why the offers' state does not fit, by what the handlers have found, in the offers' order; or null. */
    static @Nullable String misfit(List<Message.Offer> offers, List<KnownHandler> handlers) {
        List<String> misfits = match(offers, handlers).stream()
                .filter(handler -> handler.misfit() != null)
                .map(handler -> handler.name() + ": " + handler.misfit())
                .toList();
        return misfits.isEmpty() ? null : String.join("; ", misfits);
    }
}
