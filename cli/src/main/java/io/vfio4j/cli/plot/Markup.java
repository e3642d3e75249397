// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.plot;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;

/** Writes elements of HTML or SVG. All texts and values are escaped; whatever is opened is closed in its order. */
public final class Markup {
    private final StringBuilder text = new StringBuilder();
    private final Deque<String> open = new ArrayDeque<>();

    /** Makes one without any elements. */
    public Markup() {}

    /**
     * Begins an element, which {@link #end} ends.
     *
     * @param name its name
     * @param attributes names and values in turn; a value is a text, or a number, of which one decimal counts; one
     *     whose value is empty is left out
     * @return this
     */
    public Markup begin(String name, Object... attributes) {
        tag(name, attributes).append('>');
        open.push(name);
        return this;
    }

    /**
     * Ends the element that was begun last.
     *
     * @return this
     */
    public Markup end() {
        text.append("</").append(open.pop()).append('>');
        return this;
    }

    /**
     * Writes an element that is empty and needs no end.
     *
     * @param name its name
     * @param attributes as in {@link #begin}
     * @return this
     */
    public Markup empty(String name, Object... attributes) {
        tag(name, attributes).append("/>");
        return this;
    }

    /**
     * Writes an element that holds a text.
     *
     * @param name its name
     * @param content the text
     * @param attributes as in {@link #begin}
     * @return this
     */
    public Markup element(String name, String content, Object... attributes) {
        return begin(name, attributes).text(content).end();
    }

    /**
     * Writes a text.
     *
     * @param content the text
     * @return this
     */
    public Markup text(String content) {
        text.append(escaped(content));
        return this;
    }

    /**
     * Writes what is markup already.
     *
     * @param markup whole elements, or a document's head
     * @return this
     */
    public Markup raw(String markup) {
        text.append(markup);
        return this;
    }

    /**
     * Returns what was written.
     *
     * @return markup
     * @throws IllegalStateException when an element has not been ended
     */
    @Override
    public String toString() {
        if (!open.isEmpty()) {
            throw new IllegalStateException("not ended: " + open);
        }
        return text.toString();
    }

    private StringBuilder tag(String name, Object... attributes) {
        text.append('<').append(name);
        for (int i = 0; i < attributes.length; i += 2) {
            String value = value(attributes[i + 1]);
            if (!value.isEmpty()) {
                text.append(' ').append(attributes[i]).append("=\"");
                text.append(escaped(value)).append('"');
            }
        }
        return text;
    }

    private static String value(Object value) {
        return value instanceof Double number ? number(number) : value.toString();
    }

    static String number(double value) {
        String shown = String.format(Locale.ROOT, "%.1f", value);
        return shown.endsWith(".0") ? shown.substring(0, shown.length() - 2) : shown;
    }

    private static String escaped(String content) {
        StringBuilder escaped = new StringBuilder();
        for (int i = 0; i < content.length(); i++) {
            char c = content.charAt(i);
            switch (c) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                default -> escaped.append(c < ' ' && c != '\n' && c != '\t' ? '\ufffd' : c);
            }
        }
        return escaped.toString();
    }
}
