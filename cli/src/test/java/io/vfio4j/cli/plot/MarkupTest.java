// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli.plot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MarkupTest {
    @Test
    void shouldEscapeTextsAndValues() {
        String written = new Markup()
                .element("p", "<script> & \"so on\" \u0007", "title", "a\"b<c>")
                .toString();

        assertThat(written)
                .isEqualTo("<p title=\"a&quot;b&lt;c&gt;\">&lt;script&gt; &amp; &quot;so on&quot; \ufffd</p>");
    }

    @Test
    void shouldEndElementsInTheirOrder() {
        Markup markup = new Markup().begin("a").begin("b");
        assertThatThrownBy(markup::toString)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("b, a");

        assertThat(markup.empty("i", "x", 1.25).end().end()).hasToString("<a><b><i x=\"1.3\"/></b></a>");
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1.04, 1", "1.05, 1.1", "-0.25, -0.3", "99.9, 99.9", "100000.06, 100000.1"})
    void shouldShowOneDecimalWhereItCounts(double number, String shown) {
        assertThat(Markup.number(number)).isEqualTo(shown);
    }
}
