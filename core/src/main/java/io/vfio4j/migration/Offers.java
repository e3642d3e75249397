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
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What handlers are called and are, as HELLO says it, and whether two sides' fit. */
final class Offers {
    private Offers() {}

    /** Makes the source's offers, which also checks the handlers' names and descriptions. */
    static List<Message.Offer> of(List<StateHandler> handlers) throws MigrationException {
        if (handlers.isEmpty() || handlers.size() > Message.Hello.MAX_OFFERS) {
            throw new MigrationException(
                    Reason.DEVICE,
                    "a migration has 1 to " + Message.Hello.MAX_OFFERS + " handlers, not " + handlers.size());
        }
        Set<String> names = new HashSet<>();
        List<Message.Offer> offers = new ArrayList<>();
        for (StateHandler handler : handlers) {
            if (!names.add(handler.name())) {
                throw new MigrationException(Reason.DEVICE, handler.name() + ": two handlers have this name");
            }
            Description description = ask(handler, StateHandler::description);
            requireFits(handler.name(), description);
            offers.add(new Message.Offer(
                    handler.name(), description.kind(), description.version(), description.attributes()));
        }
        return offers;
    }

    /**
     * Asks a handler for something that it knows.
     *
     * @throws MigrationException in the handler's name, when it throws something instead of answering
     */
    static <T extends @Nullable Object> T ask(StateHandler handler, Function<StateHandler, T> question)
            throws MigrationException {
        try {
            return question.apply(handler);
        } catch (RuntimeException | Error e) {
            throw new MigrationException(Reason.DEVICE, handler.name() + ": unexpected: " + e, e);
        }
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
    static List<StateHandler> match(List<Message.Offer> offers, List<StateHandler> handlers) {
        return offers.stream()
                .flatMap(offer ->
                        handlers.stream().filter(handler -> handler.name().equals(offer.name())))
                .toList();
    }

    /** Why the offers cannot be loaded into the handlers, or null. */
    static @Nullable String misfit(List<Message.Offer> offers, List<StateHandler> handlers) throws MigrationException {
        List<String> offered = offers.stream().map(Message.Offer::name).toList();
        List<String> here = handlers.stream().map(StateHandler::name).toList();
        List<String> lacking = Stream.concat(
                        offered.stream().filter(name -> !here.contains(name)).map(name -> name + " is missing here"),
                        here.stream()
                                .filter(name -> !offered.contains(name))
                                .map(name -> name + " is missing at the source"))
                .toList();
        if (!lacking.isEmpty()) {
            return String.join(", ", lacking);
        }
        if (new HashSet<>(offered).size() != offered.size()) {
            return "the source offers one name twice: " + String.join(", ", offered);
        }
        List<String> misfits = new ArrayList<>();
        List<StateHandler> inOrder = match(offers, handlers);
        for (int i = 0; i < offers.size(); i++) {
            Message.Offer offer = offers.get(i);
            StateHandler handler = inOrder.get(i);
            Description source = new Description(offer.kind(), offer.version(), offer.attributes());
            String misfit = ask(handler, asked -> asked.misfit(source));
            if (misfit != null) {
                misfits.add(handler.name() + ": " + misfit);
            }
        }
        return misfits.isEmpty() ? null : String.join("; ", misfits);
    }
}
